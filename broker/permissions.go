package broker

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/leveretmq/leveret/broker/meta"
)

// Permissions lists what users may do, by virtual host and user.
func (b *Broker) Permissions() []meta.Permission {
	return listOf(b, b.meta.Permissions, func(x, y meta.Permission) int {
		return cmp.Or(strings.Compare(x.VHost, y.VHost), strings.Compare(x.User, y.User))
	})
}

// Permission gives what a user may do in a virtual host; NotFound when there is
// no permission.
func (b *Broker) Permission(vhost, user string) (meta.Permission, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if p := b.meta.Permissions[[2]string{user, vhost}]; p != nil {
		return *p, nil
	}
	return meta.Permission{}, missing("not_found", user, "User '%s' has no permission in virtual host '%s'", user, vhost)
}

// PutPermission makes or changes what a user may do in a virtual host; it holds
// for the next operation of connections too.
func (b *Broker) PutPermission(ctx context.Context, p meta.Permission) (created bool, err error) {
	err = b.administer(ctx, func() ([]meta.Change, error) {
		if err := b.checkPermission(p.VHost, p.User, p.Configure, p.Write, p.Read); err != nil {
			return nil, err
		}
		created = b.meta.Permissions[[2]string{p.User, p.VHost}] == nil
		cs := b.meta.PutPermission(&p)
		b.reread(p.VHost, p.User)
		return cs, nil
	})
	return created, err
}

// checkPermission checks names and expressions; mu is held.
func (b *Broker) checkPermission(vhost, user string, patterns ...string) error {
	if b.meta.VHosts[vhost] == nil {
		return missingVHost(vhost)
	}
	if b.meta.Users[user] == nil {
		return missingUser(user)
	}
	return checkPatterns(patterns)
}

func checkPatterns(patterns []string) error {
	for _, p := range patterns {
		if _, err := compilePattern(p); err != nil {
			return &Error{Invalid, "invalid_regexp", p, fmt.Sprintf("invalid regular expression '%s': %v", p, err)}
		}
	}
	return nil
}

// DeletePermission removes what a user may do in a virtual host; it holds for
// the next operation of connections too.
func (b *Broker) DeletePermission(ctx context.Context, vhost, user string) error {
	return b.administer(ctx, func() ([]meta.Change, error) {
		if b.meta.Permissions[[2]string{user, vhost}] == nil {
			return nil, missing("not_found", user, "User '%s' has no permission in virtual host '%s'", user, vhost)
		}
		cs := b.meta.DeletePermission(user, vhost)
		b.reread(vhost, user)
		return cs, nil
	})
}

// TopicPermissions lists the topic permissions, by virtual host, user and
// exchange.
func (b *Broker) TopicPermissions() []meta.TopicPermission {
	return listOf(b, b.meta.TopicPermissions, func(x, y meta.TopicPermission) int {
		return cmp.Or(strings.Compare(x.VHost, y.VHost), strings.Compare(x.User, y.User), strings.Compare(x.Exchange, y.Exchange))
	})
}

// PutTopicPermission makes or changes a topic permission. RabbitMQ: the
// exchange need not exist.
func (b *Broker) PutTopicPermission(ctx context.Context, p meta.TopicPermission) (created bool, err error) {
	err = b.administer(ctx, func() ([]meta.Change, error) {
		if err := cmp.Or(checkLengths(p.Exchange), b.checkPermission(p.VHost, p.User, p.Write, p.Read)); err != nil {
			return nil, err
		}
		created = b.meta.TopicPermissions[[3]string{p.User, p.VHost, p.Exchange}] == nil
		cs := b.meta.PutTopicPermission(&p)
		b.reread(p.VHost, p.User)
		return cs, nil
	})
	return created, err
}

// DeleteTopicPermissions removes a user's topic permissions in a virtual host:
// that of one exchange, or all when exchange is nil. NotFound when there is
// none.
func (b *Broker) DeleteTopicPermissions(ctx context.Context, vhost, user string, exchange *string) error {
	return b.administer(ctx, func() (cs []meta.Change, err error) {
		for k := range b.meta.TopicPermissions {
			if k[0] == user && k[1] == vhost && (exchange == nil || *exchange == k[2]) {
				cs = append(cs, b.meta.DeleteTopicPermission(user, vhost, k[2])...)
			}
		}
		if len(cs) == 0 {
			return nil, missing("not_found", user, "User '%s' has no topic permission in virtual host '%s'", user, vhost)
		}
		b.reread(vhost, user)
		return cs, nil
	})
}
