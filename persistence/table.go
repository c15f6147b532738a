package persistence

// table holds the segments of the log by number, without gaps. Guarded by Log.mu.
type table struct {
	first uint64 // number of the oldest
	all   []*segment
}

// at returns the segment with that number, nil when it is not in the log.
func (t *table) at(number uint64) *segment {
	if i := number - t.first; i < uint64(len(t.all)) {
		return t.all[i]
	}
	return nil
}

// active returns the newest segment, the one that appends go to.
func (t *table) active() *segment { return t.all[len(t.all)-1] }

func (t *table) push(s *segment) {
	if len(t.all) == 0 {
		t.first = s.number
	}
	t.all = append(t.all, s)
}

// drop takes the oldest segment out.
func (t *table) drop() {
	t.all[0] = nil
	t.all = t.all[1:]
	t.first++
}

// sizes are what the cleaner decides by, in octets.
type sizes struct {
	sealed int64 // in use in sealed segments, with their headers and footers
	waste  int64 // of that, records that are not needed any more
	live   int64 // records still needed, in all segments
	files  int64 // size of all files
}

func (t *table) sizes() (n sizes) {
	for _, s := range t.all {
		live := s.liveBytes()
		n.live += live
		n.files += s.size
		if s.sealed {
			n.sealed += int64(s.end) + int64(s.footer)
			n.waste += int64(s.end) - headerSize - live
		}
	}
	return n
}
