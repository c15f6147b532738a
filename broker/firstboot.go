package broker

import (
	"fmt"
	"io"

	"github.com/leveretmq/leveret/broker/meta"
)

// FirstBoot is what an empty node is filled with. The zero value means what
// RabbitMQ makes: the virtual host / and the administrator guest/guest.
type FirstBoot struct {
	VHost string
	Users []FirstUser
}

// FirstUser is a user of the first boot with its rights in the virtual host.
type FirstUser struct {
	Name, Password         string
	Tags                   []string
	Configure, Write, Read string // regular expressions
}

func (f FirstBoot) withDefaults() FirstBoot {
	if f.VHost == "" {
		f.VHost = "/"
	}
	if f.Users == nil {
		f.Users = []FirstUser{{Name: "guest", Password: "guest", Tags: []string{"administrator"}, Configure: ".*", Write: ".*", Read: ".*"}}
	}
	return f
}

// firstBoot fills an empty node.
func (b *Broker) firstBoot(f FirstBoot) error {
	f = f.withDefaults()
	salts := make([][4]byte, len(f.Users))
	for n := range salts {
		if _, err := io.ReadFull(b.opt.Rand, salts[n][:]); err != nil {
			return fmt.Errorf("salt: %w", err)
		}
	}
	b.mu.Lock()
	cs := b.addVHost(f.VHost)
	for n, u := range f.Users {
		cs = append(cs, b.meta.PutUser(&meta.User{Name: u.Name, PasswordHash: meta.HashPassword(meta.SHA256, salts[n], u.Password), Algorithm: meta.SHA256, Tags: u.Tags})...)
		cs = append(cs, b.meta.PutPermission(&meta.Permission{User: u.Name, VHost: f.VHost, Configure: u.Configure, Write: u.Write, Read: u.Read})...)
	}
	b.mu.Unlock()
	done := make(chan error, 1)
	b.commits.save(0, cs, func(err error) { done <- err })
	return <-done
}
