package broker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// UserOptions is what PutUser sets: the password and the tags are always
// replaced, so that a user without Password and PasswordHash can no longer log
// in by password (RabbitMQ).
type UserOptions struct {
	Name string
	// Password is hashed with SHA-256 and a new salt; PasswordHash is set as it
	// is, base64 as RabbitMQ has it, made by Algorithm. At most one is not nil.
	Password, PasswordHash *string
	Algorithm              string // of PasswordHash; empty is meta.SHA256
	Tags                   []string
	// Limits is a JSON object of max-connections and max-channels, which replaces
	// those named; nil leaves them.
	Limits json.RawMessage
}

// Users lists the users.
func (b *Broker) Users() []meta.User {
	return listOf(b, b.meta.Users, func(x, y meta.User) int { return strings.Compare(x.Name, y.Name) })
}

// User gives one user; NotFound when there is none of that name.
func (b *Broker) User(name string) (meta.User, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if u := b.meta.Users[name]; u != nil {
		return *u, nil
	}
	return meta.User{}, missingUser(name)
}

// PutUser makes or changes a user. Connections of the user go on: a password
// counts at the next login (RabbitMQ).
func (b *Broker) PutUser(ctx context.Context, o UserOptions) (created bool, err error) {
	err = b.administer(ctx, func() (cs []meta.Change, err error) {
		cs, created, err = b.putUser(o)
		return cs, err
	})
	return created, err
}

// AddUser makes a user; Exists when there is one of that name.
func (b *Broker) AddUser(ctx context.Context, o UserOptions) error {
	return b.administer(ctx, func() ([]meta.Change, error) {
		if b.meta.Users[o.Name] != nil {
			return nil, &Error{Exists, "user_already_exists", o.Name, fmt.Sprintf("User \"%s\" already exists", o.Name)}
		}
		cs, _, err := b.putUser(o)
		return cs, err
	})
}

func (b *Broker) putUser(o UserOptions) (cs []meta.Change, created bool, err error) {
	created = b.meta.Users[o.Name] == nil
	def, err := b.makeUser(o)
	if err != nil {
		return nil, false, err
	}
	return b.meta.PutUser(&def), created, nil
}

// makeUser gives the user that the options make of the one there is; mu is
// held.
func (b *Broker) makeUser(o UserOptions) (meta.User, error) {
	if err := checkNames(o.Name); err != nil {
		return meta.User{}, err
	}
	def := meta.User{Name: o.Name, Algorithm: meta.SHA256, Tags: o.Tags}
	if old := b.meta.Users[o.Name]; old != nil {
		def.Limits = old.Limits
	}
	if o.Limits != nil {
		set, err := userLimits.parse(o.Limits)
		if err != nil {
			return meta.User{}, err
		}
		def.Limits = mergedLimits(def.Limits, set)
	}
	return def, b.setPassword(&def, o)
}

func (b *Broker) setPassword(def *meta.User, o UserOptions) (err error) {
	switch {
	case o.Password != nil && o.PasswordHash != nil:
		return &Error{Invalid, "both_password_and_password_hash_are_provided", "", "both_password_and_password_hash_are_provided"}
	case o.Password != nil:
		def.PasswordHash, err = b.hash(*o.Password)
		return err
	case o.PasswordHash != nil:
		if _, err := base64.StdEncoding.DecodeString(*o.PasswordHash); err != nil {
			return &Error{Invalid, "not_base64", *o.PasswordHash, fmt.Sprintf("password hash '%s' is not base64", *o.PasswordHash)}
		}
		def.PasswordHash = *o.PasswordHash
		if o.Algorithm != "" {
			def.Algorithm = o.Algorithm
		}
	}
	return nil
}

// hash makes the hash of a password with a new salt.
func (b *Broker) hash(password string) (string, error) {
	var salt [4]byte
	if _, err := io.ReadFull(b.opt.Rand, salt[:]); err != nil {
		return "", fmt.Errorf("salt: %w", err)
	}
	return meta.HashPassword(meta.SHA256, salt, password), nil
}

// SetPassword changes a user's password.
func (b *Broker) SetPassword(ctx context.Context, name, password string) error {
	return b.changeUser(ctx, name, func(u *meta.User) (err error) {
		u.PasswordHash, err = b.hash(password)
		u.Algorithm = meta.SHA256
		return err
	})
}

// ClearPassword leaves a user that cannot log in by password.
func (b *Broker) ClearPassword(ctx context.Context, name string) error {
	return b.changeUser(ctx, name, func(u *meta.User) error {
		u.PasswordHash = ""
		return nil
	})
}

// SetUserTags replaces a user's tags.
func (b *Broker) SetUserTags(ctx context.Context, name string, tags []string) error {
	return b.changeUser(ctx, name, func(u *meta.User) error {
		u.Tags = slices.Clone(tags)
		return nil
	})
}

// SetUserLimits changes the limits of a user that the JSON object names:
// max-connections and max-channels; negative is none.
func (b *Broker) SetUserLimits(ctx context.Context, name string, limits json.RawMessage) error {
	return b.changeUser(ctx, name, func(u *meta.User) error {
		set, err := userLimits.parse(limits)
		u.Limits = mergedLimits(u.Limits, set)
		return err
	})
}

// SetUserLimit changes one limit of a user; value is JSON.
func (b *Broker) SetUserLimit(ctx context.Context, name, limit string, value json.RawMessage) error {
	return b.changeUser(ctx, name, func(u *meta.User) (err error) {
		u.Limits, err = userLimits.with(u.Limits, limit, value)
		return err
	})
}

// ClearUserLimit removes one limit of a user, all of them when limit is empty.
// One that is not set is cleared already.
func (b *Broker) ClearUserLimit(ctx context.Context, name, limit string) error {
	return b.changeUser(ctx, name, func(u *meta.User) error {
		u.Limits = withoutLimit(u.Limits, limit)
		return nil
	})
}

// changeUser puts a changed copy of a user in its place.
func (b *Broker) changeUser(ctx context.Context, name string, change func(*meta.User) error) error {
	return b.administer(ctx, func() ([]meta.Change, error) {
		old := b.meta.Users[name]
		if old == nil {
			return nil, missingUser(name)
		}
		def := *old
		if err := change(&def); err != nil {
			return nil, err
		}
		return b.meta.PutUser(&def), nil
	})
}

// DeleteUser deletes a user with its permissions, and closes its connections
// with 320 as RabbitMQ does.
func (b *Broker) DeleteUser(ctx context.Context, name string) error {
	var sessions map[*Session]bool
	err := b.administer(ctx, func() ([]meta.Change, error) {
		if b.meta.Users[name] == nil {
			return nil, missingUser(name)
		}
		if p := b.users[name]; p != nil {
			sessions = maps.Clone(p.sessions)
		}
		cs := b.meta.DeleteUser(name)
		for vhost := range b.vhosts {
			b.reread(vhost, name)
		}
		return cs, nil
	})
	closeAll(sessions, wire.Errorf(wire.ConnectionForced, "user '%s' is deleted", name))
	return err
}

// DeleteUsers deletes users in order up to one that is missing, which is the
// error (RabbitMQ: bulk delete).
func (b *Broker) DeleteUsers(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := b.DeleteUser(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
