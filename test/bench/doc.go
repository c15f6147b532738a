// Bench prints the table of what Leveret is held to, with RabbitMQ beside it in
// the same run when it is installed:
//
//	go run ./test/bench                          # every row, bin/leveret
//	go run ./test/bench -rows transient,fanout   # some rows
//	go run ./test/bench -target old=/tmp/leveret # another build beside ours
//
// The load comes from `leveret bench`; each row is measured several times,
// brokers taking turns, and all but the one at work are stopped (SIGSTOP)
// meanwhile. Rates are the best run's, CPU, memory and latency the median.
package main
