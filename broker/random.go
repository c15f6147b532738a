package broker

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
)

// random gives random numbers to many goroutines without a lock. It is a
// splitmix64: fair enough to spread messages, and never asked for a secret.
type random struct{ state atomic.Uint64 }

func (r *random) seed(from io.Reader) error {
	var seed [8]byte
	if _, err := io.ReadFull(from, seed[:]); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	r.state.Store(binary.LittleEndian.Uint64(seed[:]))
	return nil
}

func (r *random) next() uint64 {
	n := r.state.Add(0x9e3779b97f4a7c15)
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}
