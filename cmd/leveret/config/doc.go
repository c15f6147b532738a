// Package config reads what a node is told at its start: rabbitmq.conf and the
// files of conf.d, environment variables as RabbitMQ has them, and flags.
//
// Every source is turned into settings, a key of rabbitmq.conf with a value and
// where it came from, so there is one table of keys (keys.go), one way to check
// a value, and one order. A later source replaces what an earlier one said:
//
//  1. the defaults;
//  2. RABBITMQ_NODE_PORT, RABBITMQ_NODE_IP_ADDRESS, RABBITMQ_LOG and
//     RABBITMQ_LOGS, which as in RabbitMQ give way to the file;
//  3. rabbitmq.conf, from top to bottom;
//  4. the files of conf.d in alphabetical order;
//  5. advanced.config;
//  6. all other environment variables;
//  7. flags.
//
// A key that is not in the table is an error that names file, line and key and
// the nearest key there is. A key that RabbitMQ knows and that has no meaning
// here is accepted with one warning.
package config
