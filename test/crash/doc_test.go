// Package crash ends the real broker under load and looks at what is there
// when it comes back.
//
// TestKill goes through rounds of load, SIGKILL at a random moment, restart and
// a look at every message; LEVERET_KILL_ROUNDS and LEVERET_KILL_SEED choose how
// many and which. A round is told from the others by its seed only in what the
// load does, not in what the scheduler does, so a seed does not repeat a
// failure exactly; the report names all that was known about a message.
//
// The other tests are the rows of the table of stops and restarts.
package crash
