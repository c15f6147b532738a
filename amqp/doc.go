// Package amqp is the AMQP 0-9-1 server: connections, channels and the methods
// of the protocol, over package broker. Octets, errors, the order of answers
// and the times of silence are RabbitMQ's.
//
// The nouns:
//
//   - Server accepts connections and ends them.
//   - conn is one connection. Its reader goroutine runs every handler of all
//     its channels; they never wait.
//   - outbound holds what goes to the client and the writer goroutine that runs
//     while there is something to write.
//   - channel is one channel. An answer that comes later occupies a slot, so
//     that answers keep their order; the channel is parked meanwhile.
//   - consumer is one basic.consume (or one queue a channel uses basic.get on):
//     the sink of its queue.
//
// Ownership: conn and channel belong to the reader goroutine. What others touch
// is below a mutex in the struct, and these are locked in the order
// queue → channel.mu → outbound.mu; nothing is called out with one held.
package amqp
