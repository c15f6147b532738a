package queue

import (
	"testing"
	"time"
)

// TestConfigureHoldsForWhatComes: a changed TTL is that of later messages only.
func TestConfigureHoldsForWhatComes(t *testing.T) {
	f := newFixture(t, true, table("x-message-ttl", int32(100)))
	f.publish("before")
	f.q.Configure(Settings{TTL: 10 * time.Second, HasTTL: true})
	f.publish("after")
	f.host.pass(100 * time.Millisecond)
	f.counts(1, 0)
	f.host.pass(10 * time.Second)
	f.counts(0, 0)
}

// TestConfigureBeginsTheLease: a policy may let a queue expire that did not.
func TestConfigureBeginsTheLease(t *testing.T) {
	f := newFixture(t, true, nil)
	f.host.pass(time.Hour)
	f.q.Configure(Settings{Expires: time.Second})
	f.host.pass(999 * time.Millisecond)
	equal(t, len(f.q.TakeOutside(1)), 0)
	f.host.pass(time.Millisecond)
	equal(t, f.q.TakeOutside(1)[0].Kind, Expired)
}
