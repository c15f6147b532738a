// Package management replays the calls to RabbitMQ's management API that were
// recorded in testdata against a broker of our own: status, reason and fields
// of each answer.
package management
