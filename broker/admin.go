package broker

import (
	"context"
	"slices"

	"github.com/leveretmq/leveret/broker/meta"
)

// The calls of an operator: list, put and delete what a node is made of. They
// check what they are given, not who gives it. Each returns when its change is
// stored, with *Error when it is refused; when ctx ends first the change holds
// all the same. Definitions that are returned are copies, sorted by their names.

// administer makes a change under the lock and waits until it is stored.
func (b *Broker) administer(ctx context.Context, change func() ([]meta.Change, error)) error {
	b.mu.Lock()
	done := b.acts(actor(ctx))
	cs, err := change()
	done()
	b.mu.Unlock()
	if err != nil {
		return err
	}
	return b.stored(ctx, 0, cs)
}

// stored waits until changes are stored; the log is durable up to pos before.
func (b *Broker) stored(ctx context.Context, pos uint64, cs []meta.Change) error {
	done := make(chan error, 1)
	b.commits.save(pos, cs, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nameMost is how long a name may be, in octets: what AMQP's short strings hold.
const nameMost = 255

// checkNames refuses names that are too long to be kept, or empty.
func checkNames(names ...string) error {
	for _, name := range names {
		if name == "" {
			return invalid("a name must not be empty")
		}
	}
	return checkLengths(names...)
}

func checkLengths(names ...string) error {
	for _, name := range names {
		if len(name) > nameMost {
			return invalid("name '%.20s...' has %d octets, at most %d are allowed", name, len(name), nameMost)
		}
	}
	return nil
}

// listOf copies what definitions m holds, sorted by cmp.
func listOf[K comparable, V any](b *Broker, m map[K]*V, cmp func(x, y V) int) []V {
	b.mu.RLock()
	defer b.mu.RUnlock()
	out := make([]V, 0, len(m))
	for _, v := range m {
		out = append(out, *v)
	}
	slices.SortFunc(out, cmp)
	return out
}
