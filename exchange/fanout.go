package exchange

// fanout routes to everything bound, whatever the keys (spec: 3.1.3.2).
type fanout struct{ all *set }

// Bind is as Router says.
func (f fanout) Bind(b Binding) Router { return fanout{f.all.with(newBound(b))} }

// Unbind is as Router says.
func (f fanout) Unbind(b Binding) Router {
	gone := newBound(b)
	return fanout{f.all.without(&gone)}
}

// Route is as Router says.
func (f fanout) Route(_ Message, out []Dest) []Dest { return f.all.dests(out) }

// KeyOnly is as Router says.
func (f fanout) KeyOnly() bool { return true }

// PerKey is as Router says.
func (f fanout) PerKey() bool { return false }
