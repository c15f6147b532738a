package conformance

import (
	"os"
	"testing"
)

func target(t *testing.T) broker {
	t.Helper()
	if address := os.Getenv("LEVERET_TARGET"); address != "" {
		return broker{
			address:    address,
			management: os.Getenv("LEVERET_TARGET_HTTP"),
			oracle:     os.Getenv("LEVERET_ORACLE") != "",
		}
	}
	t.Fatal("LEVERET_TARGET is not set")
	return broker{}
}
