// Package mgmt is the management HTTP API: what RabbitMQ's management plugin
// and its Prometheus plugin answer, over package broker.
//
// A call goes through the route table (routes.go), the login and the right that
// the route asks for (auth.go), and a handler, a method of call. Lists are rows
// of columns (rows.go), which filter, sort, page and encode in one way for all.
// What is listed is read when it is asked for; only rates look back, at what
// the sampler (samples.go) noted.
package mgmt
