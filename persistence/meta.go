package persistence

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Meta keeps the broker's metadata: opaque keys and values, few and small. The
// messages are in the Log.
type Meta interface {
	// Load calls visit for every key, ascending. The slices are views that end
	// with the call; the first error ends it.
	Load(visit func(key, value []byte) error) error
	// Commit makes all changes or none, durably, in order. It waits for the disk.
	Commit(changes []Change) error
	// Close gives the file back.
	Close() error
}

// Change sets a key, or removes it when Value is nil.
type Change struct {
	Key, Value []byte
}

// OpenMeta opens the metadata file at path, or makes it. It is a real file
// always: bbolt maps it into memory.
func OpenMeta(path string) (Meta, error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:      time.Second,
		FreelistType: bolt.FreelistMapType,
	})
	if err != nil {
		return nil, fmt.Errorf("open metadata %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(metaBucket())
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open metadata %s: %w", path, err), db.Close())
	}
	return boltMeta{db}, nil
}

func metaBucket() []byte { return []byte("meta") }

type boltMeta struct{ db *bolt.DB }

func (m boltMeta) Load(visit func(key, value []byte) error) error {
	return m.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(metaBucket()).ForEach(visit)
	})
}

func (m boltMeta) Commit(changes []Change) error {
	return m.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(metaBucket())
		for _, c := range changes {
			if err := apply(b, c); err != nil {
				return fmt.Errorf("metadata key %q: %w", c.Key, err)
			}
		}
		return nil
	})
}

func apply(b *bolt.Bucket, c Change) error {
	if c.Value == nil {
		return b.Delete(c.Key)
	}
	return b.Put(c.Key, c.Value)
}

func (m boltMeta) Close() error { return m.db.Close() }

// MemoryMeta is a Meta in memory, for tests and for brokers that keep nothing.
// What was committed counts as durable: Clone is what a crash leaves.
type MemoryMeta struct {
	mu     sync.Mutex
	values map[string][]byte
	fault  func([]Change) error
}

// NewMemoryMeta returns an empty MemoryMeta.
func NewMemoryMeta() *MemoryMeta { return &MemoryMeta{values: map[string][]byte{}} }

// SetFault has f asked before every Commit; its error makes the Commit fail.
func (m *MemoryMeta) SetFault(f func([]Change) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// Clone returns an independent copy of what is committed.
func (m *MemoryMeta) Clone() *MemoryMeta {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &MemoryMeta{values: maps.Clone(m.values)}
}

// Load implements Meta.
func (m *MemoryMeta) Load(visit func(key, value []byte) error) error {
	c := m.Clone()
	for _, k := range slices.Sorted(maps.Keys(c.values)) {
		if err := visit([]byte(k), c.values[k]); err != nil {
			return err
		}
	}
	return nil
}

// Commit implements Meta.
func (m *MemoryMeta) Commit(changes []Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		if err := m.fault(changes); err != nil {
			return err
		}
	}
	for _, c := range changes {
		if len(c.Key) == 0 {
			return errors.New("metadata key is empty")
		}
	}
	for _, c := range changes {
		if c.Value == nil {
			delete(m.values, string(c.Key))
		} else {
			m.values[string(c.Key)] = slices.Clone(c.Value)
		}
	}
	return nil
}

// Close implements Meta.
func (m *MemoryMeta) Close() error { return nil }
