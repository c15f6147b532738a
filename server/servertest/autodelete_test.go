package servertest_test

import (
	"testing"

	"github.com/leveretmq/leveret/server/servertest"
)

// A get is no consumer: releasing it leaves an auto-delete queue alone.
func TestGetKeepsAutoDeleteQueue(t *testing.T) {
	s := servertest.Start(t)
	ch := open(t, s)
	if _, err := ch.QueueDeclare("stays", false, true, false, false, nil); err != nil {
		t.Fatal(err)
	}
	publish(t, ch, "stays", 1)
	if _, ok, err := ch.Get("stays", false); !ok || err != nil {
		t.Fatalf("get: %t, %v", ok, err)
	}
	if err := ch.Close(); err != nil {
		t.Fatal(err)
	}
	q, err := open(t, s).QueueDeclarePassive("stays", false, true, false, false, nil)
	if err != nil || q.Messages != 1 {
		t.Fatalf("%d messages, %v; want the one that was held", q.Messages, err)
	}
}
