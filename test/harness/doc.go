// Package harness starts the broker as a process of its own, as a user does,
// and stops, kills and restarts it for the black-box suites.
//
// The binary is built once per test process, or named by LEVERET_BIN. To see
// what another broker does with the same suite, LEVERET_TARGET_CMD names a
// command that is started as
//
//	$LEVERET_TARGET_CMD PORT DIR
//
// serves AMQP on 127.0.0.1:PORT with its data in DIR, stays in the foreground,
// and stops cleanly on SIGTERM. Failures against such a broker are faults of
// the suite or differences to be explained; without it they are ours.
package harness
