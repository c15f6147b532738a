package server

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/persistence"
	"github.com/leveretmq/leveret/queue"
)

// logAdapter is the log as queues and broker declare it. Log is set once the
// broker, its owner, exists.
type logAdapter struct{ *persistence.Log }

// Begin starts an append.
func (l *logAdapter) Begin() queue.Append { return l.Log.Begin() }

// metaAdapter is the metadata store as the broker declares it.
type metaAdapter struct{ persistence.Meta }

// Load leaves out the node's own key.
func (m metaAdapter) Load(visit func(key, value []byte) error) error {
	return m.Meta.Load(func(key, value []byte) error {
		if len(key) > 0 && key[0] == incarnationKey {
			return nil
		}
		return visit(key, value)
	})
}

// Commit stores changes in one transaction.
func (m metaAdapter) Commit(cs []meta.Change) error {
	out := make([]persistence.Change, len(cs))
	for i, c := range cs {
		out[i] = persistence.Change(c)
	}
	return m.Meta.Commit(out)
}

// incarnationKey is the first octet of the key that counts the node's starts;
// the broker's keys begin with 1 and above.
const incarnationKey = 0

// nextIncarnation counts this start.
func nextIncarnation(m persistence.Meta) (uint64, error) {
	var n uint64
	err := m.Load(func(key, value []byte) error {
		if len(key) == 1 && key[0] == incarnationKey {
			if len(value) != 8 {
				return fmt.Errorf("metadata: incarnation has %d octets, not 8", len(value))
			}
			n = binary.BigEndian.Uint64(value)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n++
	return n, m.Commit([]persistence.Change{{Key: []byte{incarnationKey}, Value: binary.BigEndian.AppendUint64(nil, n)}})
}

// wallClock is the time of the machine.
type wallClock struct{}

// Now is time.Now.
func (wallClock) Now() time.Time { return time.Now() }

// AfterFunc is time.AfterFunc.
func (wallClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}
