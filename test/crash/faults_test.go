package crash

import (
	"strings"
	"testing"
	"time"
)

// TestLedgerFindsFaults shows that each kind of fault is seen: a suite that
// only passes proves nothing.
func TestLedgerFindsFaults(t *testing.T) {
	const queue, round = "q", 1
	old := time.Now().Add(-time.Second)
	for _, c := range []struct {
		name  string
		story func(l *ledger, id int)
		fault string // part of it; "" for none
	}{
		{"kept", func(l *ledger, id int) { l.confirm(id); l.show(id, queue, false, round) }, ""},
		{"lost", func(l *ledger, id int) { l.confirm(id) }, "is lost"},
		{"not confirmed and lost", func(*ledger, int) {}, ""},
		{"transient and lost", func(l *ledger, id int) { l.confirm(id); l.messages[id].transient = true }, ""},
		{"transient and kept", func(l *ledger, id int) { l.messages[id].transient = true; l.show(id, queue, false, round) }, "outlived"},
		{"acked and gone", func(l *ledger, id int) { l.confirm(id); l.deliver(id, queue, false); l.ack(id) }, ""},
		{"acked just now and back", func(l *ledger, id int) {
			l.deliver(id, queue, false)
			l.ack(id)
			l.killed(time.Now())
			l.show(id, queue, true, round)
		}, ""},
		{"acked long ago and back", func(l *ledger, id int) {
			l.confirm(id)
			l.deliver(id, queue, false)
			l.messages[id].acked = old
			l.killed(time.Now())
			l.show(id, queue, true, round)
		}, "settled"},
		{"surely acked and back", func(l *ledger, id int) { l.settled([]int{id}); l.show(id, queue, true, round) }, "settled"},
		{"acked and delivered again", func(l *ledger, id int) { l.ack(id); l.deliver(id, queue, true) }, "by the same process"},
		{"delivered and not flagged", func(l *ledger, id int) { l.deliver(id, queue, false); l.show(id, queue, false, round) }, "not flagged"},
		{"requeued and not flagged", func(l *ledger, id int) { l.deliver(id, queue, false); l.deliver(id, queue, false) }, "not flagged"},
		{"twice", func(l *ledger, id int) { l.show(id, queue, false, round); l.show(id, queue, true, round) }, "twice"},
		{"in another queue", func(l *ledger, id int) { l.show(id, "other", false, round) }, "came from other"},
		{"never sent", func(l *ledger, id int) { l.show(id+1, queue, false, round) }, "never sent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger()
			l.round()
			c.story(l, l.publish("p", queue, false))
			l.close(round)
			if text := strings.Join(l.faults, "; "); (c.fault == "") != (text == "") || !strings.Contains(text, c.fault) {
				t.Errorf("faults %q, want %q", text, c.fault)
			}
		})
	}
}

// TestTransactionsFindFaults does so for the check of transactions.
func TestTransactionsFindFaults(t *testing.T) {
	g := func(o outcome) *group { return &group{first: 1, last: 2, outcome: o} }
	none, one, both := map[int]bool{}, map[int]bool{1: true}, map[int]bool{1: true, 2: true}
	for _, c := range []struct {
		name         string
		group        *group
		moved, twins map[int]bool
		ok           bool
	}{
		{"committed and there", g(committed), both, both, true},
		{"committed and not there", g(committed), none, none, false},
		{"committed and in one queue", g(committed), both, none, false},
		{"unanswered and there", g(unknown), both, both, true},
		{"unanswered and not there", g(unknown), none, none, true},
		{"unanswered and half there", g(unknown), one, one, false},
		{"rolled back and not there", g(rolledBack), none, none, true},
		{"rolled back and there", g(rolledBack), both, both, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLedger()
			new(transactions).checkGroup(c.group, c.moved, c.twins, l)
			if ok := len(l.faults) == 0; ok != c.ok {
				t.Errorf("faults %q", l.faults)
			}
		})
	}
}
