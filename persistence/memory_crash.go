package persistence

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash returns a file system as the machine may find it after a power cut now.
// Everything synced is there. Of unsynced writes each sector of 512 octets is
// there, lost or torn; of unsynced creations, renames and removals, and of
// changed file sizes, each is there or lost. rng decides; m itself stays as it is.
func (m *Memory) Crash(rng *rand.Rand) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := NewMemory()
	for name, f := range m.stable {
		out.names[name] = f
	}
	keep := [...]float64{0, 0.1, 0.5, 0.9, 1}[rng.IntN(5)]
	for _, op := range m.ops {
		if rng.Float64() < keep {
			op.apply(out.names)
		}
	}
	copies := map[*memFile]*memFile{}
	for _, name := range sortedNames(out.names) { // in order: rng must give the same again
		f := out.names[name]
		if copies[f] == nil {
			copies[f] = f.crash(rng, keep)
		}
		out.names[name] = copies[f]
		out.stable[name] = copies[f]
	}
	return out
}

// crash returns what a power cut may leave of the file.
func (f *memFile) crash(rng *rand.Rand, keep float64) *memFile {
	f.mu.RLock()
	defer f.mu.RUnlock()
	c := &memFile{saved: map[int64][]byte{}, size: f.size}
	if rng.Float64() >= keep {
		c.size = f.synced
	}
	for _, b := range f.blocks {
		if b != nil {
			b = append([]byte(nil), b...)
		}
		c.blocks = append(c.blocks, b)
	}
	old, now := make([]byte, memPage), make([]byte, memPage)
	for _, p := range sortedPages(f.saved) {
		clear(old)
		copy(old, f.saved[p])
		f.read(now, p*memPage)
		for s := 0; s < memPage; s += memSector {
			cut := s // what lies before it is new
			if x := rng.Float64(); x < keep*0.95 {
				cut = s + memSector
			} else if x < keep {
				cut = s + rng.IntN(memSector)
			}
			copy(old[s:cut], now[s:cut])
		}
		c.write(old, p*memPage)
	}
	if blocks := (c.size + memBlock - 1) / memBlock; blocks < int64(len(c.blocks)) {
		c.blocks = c.blocks[:blocks]
	}
	c.clearFrom(c.size)
	c.synced = c.size
	return c
}

// clearFrom zeroes what the last block holds beyond the end.
func (f *memFile) clearFrom(size int64) {
	i := size / memBlock
	if i < int64(len(f.blocks)) && f.blocks[i] != nil {
		clear(f.blocks[i][size%memBlock:])
	}
}

func sortedNames(m map[string]*memFile) []string { return slices.Sorted(maps.Keys(m)) }

func sortedPages(m map[int64][]byte) []int64 { return slices.Sorted(maps.Keys(m)) }
