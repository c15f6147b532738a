// Package clients runs real client programs against the real broker: the same
// steps in every language, RabbitMQ's tutorials, Celery, and the integration
// suite of amqp091-go. A client that is not installed fails its test by name;
// test/setup.sh installs all of them.
package clients
