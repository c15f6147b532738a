package exchange

const modulusHash = "x-modulus-hash"

// modulus routes to the binding that the hash of the key falls on, modulo their
// number (RabbitMQ: x-modulus-hash). Bindings are counted in their order, so
// that the same ones route in the same way after a restart.
type modulus struct{ *flat }

// Bind is as Router says.
func (m modulus) Bind(b Binding) Router { return modulus{m.with(b)} }

// Unbind is as Router says.
func (m modulus) Unbind(b Binding) Router { return modulus{m.without(b)} }

// Route is as Router says.
func (m modulus) Route(msg Message, out []Dest) []Dest {
	return m.pick(mix(hashText(hashStart, msg.Key)), out)
}

// KeyOnly is as Router says.
func (m modulus) KeyOnly() bool { return true }

// PerKey is as Router says.
func (m modulus) PerKey() bool { return false }
