package broker

import "slices"

// Trust logs a user in whose name something else has proved: a certificate.
// Errors are those of Authenticate.
func (b *Broker) Trust(user string, loopback bool) (*User, error) {
	u, err := b.trust(user, loopback)
	b.authenticated(user, err)
	return u, err
}

func (b *Broker) trust(user string, loopback bool) (*User, error) {
	b.mu.RLock()
	def := b.meta.Users[user]
	b.mu.RUnlock()
	if def == nil {
		return nil, ErrCredentials
	}
	if !loopback && slices.Contains(b.opt.LoopbackUsers, user) {
		return nil, ErrLoopback
	}
	return &User{def}, nil
}
