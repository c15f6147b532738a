package exchange

const (
	plainRandom = "x-random"
	localRandom = "x-local-random"
)

// random routes to the destination of one binding, any (RabbitMQ: x-random).
// x-local-random chooses among the queues of this node, which are all there are.
type random struct {
	*flat
	rand func() uint64
}

// Bind is as Router says.
func (r random) Bind(b Binding) Router { return random{r.with(b), r.rand} }

// Unbind is as Router says.
func (r random) Unbind(b Binding) Router { return random{r.without(b), r.rand} }

// Route is as Router says.
func (r random) Route(_ Message, out []Dest) []Dest { return r.pick(r.rand(), out) }

// KeyOnly is as Router says.
func (r random) KeyOnly() bool { return false }

// PerKey is as Router says.
func (r random) PerKey() bool { return false }
