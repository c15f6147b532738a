package broker

import (
	"context"
	"fmt"

	"github.com/leveretmq/leveret/broker/meta"
)

// FirstBoot is what an empty node is filled with. The zero value means what
// RabbitMQ makes: the virtual host / and the administrator guest/guest.
type FirstBoot struct {
	// Nothing leaves it without virtual host and users: definitions are to come.
	Nothing bool
	VHost   string
	// QueueType is that of queues declared without one: classic, quorum, stream;
	// empty: classic.
	QueueType string
	Users     []FirstUser
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
	if f.Users == nil && !f.Nothing {
		f.Users = []FirstUser{{Name: "guest", Password: "guest", Tags: []string{"administrator"}, Configure: ".*", Write: ".*", Read: ".*"}}
	}
	return f
}

// firstBoot fills an empty node, and gives it a name that is the cluster's for
// ever.
func (b *Broker) firstBoot(f FirstBoot) error {
	f = f.withDefaults()
	if err := checkQueueType(f.QueueType); err != nil {
		return err
	}
	hashes := make([]string, len(f.Users))
	for n, u := range f.Users {
		var err error
		if hashes[n], err = b.hash(u.Password); err == nil {
			err = checkPatterns([]string{u.Configure, u.Write, u.Read})
		}
		if err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
	}
	id, err := b.generated("rabbitmq-cluster-id-")
	if err != nil {
		return err
	}
	return b.administer(context.Background(), func() ([]meta.Change, error) {
		cs := b.meta.PutGlobalParameter(&meta.GlobalParameter{Name: "internal_cluster_id", Value: mustJSON(id)})
		if !f.Nothing {
			cs = append(cs, b.addVHost(&meta.VHost{Name: f.VHost, Description: "Default virtual host", DefaultQueueType: f.QueueType})...)
		}
		for n, u := range f.Users {
			cs = append(cs, b.meta.PutUser(&meta.User{Name: u.Name, PasswordHash: hashes[n], Algorithm: meta.SHA256, Tags: u.Tags})...)
			cs = append(cs, b.meta.PutPermission(&meta.Permission{User: u.Name, VHost: f.VHost, Configure: u.Configure, Write: u.Write, Read: u.Read})...)
		}
		return cs, nil
	})
}
