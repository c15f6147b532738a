package queue

import "sync"

// Memory pools what queues take and give back: blocks of the index and chunks
// of bodies. The queues of one broker share one, so that what a drained queue
// gives back serves the others. The zero value is ready.
type Memory struct {
	blocks, times, small, large, works, readings sync.Pool
}

func (m *Memory) block() *block {
	if b, ok := m.blocks.Get().(*block); ok {
		return b
	}
	return new(block)
}

// giveBlock takes a block whose entries are all free.
func (m *Memory) giveBlock(b *block) { m.blocks.Put(b) }

func (m *Memory) deadlines() *deadlines {
	if d, ok := m.times.Get().(*deadlines); ok {
		return d
	}
	return new(deadlines)
}

func (m *Memory) giveDeadlines(d *deadlines) {
	if d != nil {
		m.times.Put(d)
	}
}

// chunk returns an empty chunk, a small or a large one.
func (m *Memory) chunk(size int) *chunk {
	if k, ok := m.chunks(size).Get().(*chunk); ok {
		return k
	}
	return &chunk{buf: make([]byte, size)}
}

// giveChunk takes a chunk that nothing refers to; one of another size than
// chunk gives out is left to the garbage collector.
func (m *Memory) giveChunk(k *chunk) {
	k.body.Release()
	if n := len(k.buf); k.body == nil && (n == chunkSmall || n == chunkLarge) {
		k.used, k.live = 0, 0
		m.chunks(n).Put(k)
	}
}

func (m *Memory) chunks(size int) *sync.Pool {
	if size == chunkSmall {
		return &m.small
	}
	return &m.large
}

func (m *Memory) work() *work {
	if w, ok := m.works.Get().(*work); ok {
		return w
	}
	return new(work)
}

func (m *Memory) reading() *reading {
	if r, ok := m.readings.Get().(*reading); ok {
		return r
	}
	r := new(reading)
	r.reset()
	return r
}

func (m *Memory) giveReading(r *reading) {
	r.reset()
	m.readings.Put(r)
}

func (m *Memory) giveWork(w *work) { m.works.Put(w) }
