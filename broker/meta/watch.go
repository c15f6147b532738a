package meta

// changed tells whoever watches what becomes of a definition: what it was and
// what it is, nil where there is none.
func changed[T any](s *State, old, now *T) {
	switch {
	case s.Changed == nil:
	case old == nil:
		s.Changed(nil, now)
	case now == nil:
		s.Changed(old, nil)
	default:
		s.Changed(old, now)
	}
}
