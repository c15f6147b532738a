package persistence

import (
	"io"
	"sync"
)

const (
	memBlock  = 64 << 10 // octets are held in blocks; a missing one is zeros
	memPage   = 4 << 10  // what was there before an unsynced write is kept by pages
	memSector = 512      // what a power cut keeps or loses as a unit, or tears
)

// memFile is the contents of a file of a Memory.
type memFile struct {
	mu     sync.RWMutex
	blocks [][]byte
	size   int64
	synced int64            // the size that is durable
	saved  map[int64][]byte // page number to what is durable there; nil for zeros
	pages  [][]byte         // for saved, used again
}

// memHandle is an open memFile.
type memHandle struct {
	m    *Memory
	f    *memFile
	name string
}

func (h *memHandle) ReadAt(b []byte, off int64) (int, error) {
	h.f.mu.RLock()
	defer h.f.mu.RUnlock()
	if off >= h.f.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(b)), h.f.size-off))
	h.f.read(b[:n], off)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) read(b []byte, off int64) {
	for len(b) > 0 {
		i, at := off/memBlock, off%memBlock
		n := int(min(int64(len(b)), memBlock-at))
		if i < int64(len(f.blocks)) && f.blocks[i] != nil {
			copy(b[:n], f.blocks[i][at:])
		} else {
			clear(b[:n])
		}
		b, off = b[n:], off+int64(n)
	}
}

func (h *memHandle) WriteAt(b []byte, off int64) (int, error) {
	skip, err := h.m.check("write", h.name)
	if skip {
		return 0, err
	}
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	h.f.save(off, off+int64(len(b)))
	h.f.write(b, off)
	h.f.size = max(h.f.size, off+int64(len(b)))
	return len(b), err
}

func (f *memFile) write(b []byte, off int64) {
	for len(b) > 0 {
		i, at := off/memBlock, off%memBlock
		for i >= int64(len(f.blocks)) {
			f.blocks = append(f.blocks, nil)
		}
		if f.blocks[i] == nil {
			f.blocks[i] = make([]byte, memBlock)
		}
		n := copy(f.blocks[i][at:], b)
		b, off = b[n:], off+int64(n)
	}
}

// save keeps what is durable in the pages from..to before they change.
func (f *memFile) save(from, to int64) {
	for p := from / memPage; p*memPage < to; p++ {
		if _, ok := f.saved[p]; ok {
			continue
		}
		if i := p * memPage / memBlock; i >= int64(len(f.blocks)) || f.blocks[i] == nil {
			f.saved[p] = nil
			continue
		}
		f.saved[p] = f.page(p)
	}
}

func (f *memFile) page(p int64) []byte {
	var b []byte
	if n := len(f.pages); n > 0 {
		b, f.pages = f.pages[n-1], f.pages[:n-1]
	} else {
		b = make([]byte, memPage)
	}
	f.read(b, p*memPage)
	return b
}

func (h *memHandle) Datasync() error {
	if skip, err := h.m.check("sync", h.name); skip || err != nil {
		return err
	}
	h.f.mu.Lock()
	defer h.f.mu.Unlock()
	for _, b := range h.f.saved {
		if b != nil && len(h.f.pages) < 256 {
			h.f.pages = append(h.f.pages, b)
		}
	}
	clear(h.f.saved)
	h.f.synced = h.f.size
	return nil
}

func (h *memHandle) Truncate(size int64) error {
	skip, err := h.m.check("truncate", h.name)
	if !skip {
		h.f.resize(size)
	}
	return err
}

func (h *memHandle) Allocate(size int64) error {
	skip, err := h.m.check("allocate", h.name)
	if !skip {
		h.f.resize(size)
	}
	return err
}

func (f *memFile) resize(size int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if size < f.size { // what is cut off reads as zeros if the file grows again
		end := min(f.size, int64(len(f.blocks))*memBlock)
		f.save(size, end)
		whole := (size + memBlock - 1) / memBlock
		if edge := min(whole*memBlock, end); edge > size {
			f.write(make([]byte, edge-size), size)
		}
		if whole < int64(len(f.blocks)) {
			f.blocks = f.blocks[:whole]
		}
	}
	f.size = size
}

func (h *memHandle) Size() (int64, error) {
	h.f.mu.RLock()
	defer h.f.mu.RUnlock()
	return h.f.size, nil
}

func (h *memHandle) Close() error { return nil }
