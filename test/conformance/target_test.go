package conformance

import (
	"os"
	"testing"

	"github.com/leveretmq/leveret/server/servertest"
)

// target is the broker under test: the one at LEVERET_TARGET (host:port), or
// one of our own in this process. LEVERET_TARGET_HTTP is the base URL of the
// target's management API, LEVERET_ORACLE says that it is a RabbitMQ.
func target(t *testing.T) broker {
	t.Helper()
	if address := os.Getenv("LEVERET_TARGET"); address != "" {
		return broker{
			address:    address,
			management: os.Getenv("LEVERET_TARGET_HTTP"),
			oracle:     os.Getenv("LEVERET_ORACLE") != "",
		}
	}
	s := servertest.Start(t, servertest.Options{Compatibility: "3.10", HTTP: "127.0.0.1:0"})
	return broker{address: s.Addr(), management: "http://" + s.HTTPAddr()}
}
