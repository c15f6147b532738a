package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
)

// VHostOptions is what PutVHost sets. RabbitMQ: description and tags are always
// replaced, the rest is left as it is when nil.
type VHostOptions struct {
	Name             string
	Description      string
	Tags             []string
	DefaultQueueType *string
	Tracing          *bool
	Protected        *bool // from deletion (RabbitMQ 4.1)
}

// VHosts lists the virtual hosts.
func (b *Broker) VHosts() []meta.VHost {
	return listOf(b, b.meta.VHosts, func(x, y meta.VHost) int { return strings.Compare(x.Name, y.Name) })
}

// VHost gives one virtual host; NotFound when there is none of that name.
func (b *Broker) VHost(name string) (meta.VHost, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if v := b.meta.VHosts[name]; v != nil {
		return *v, nil
	}
	return meta.VHost{}, missingVHost(name)
}

// PutVHost makes or changes a virtual host.
func (b *Broker) PutVHost(ctx context.Context, o VHostOptions) (created bool, err error) {
	err = b.administer(ctx, func() (cs []meta.Change, err error) {
		cs, created, err = b.putVHost(o)
		return cs, err
	})
	return created, err
}

func (b *Broker) putVHost(o VHostOptions) (cs []meta.Change, created bool, err error) {
	if err := checkNames(o.Name); err != nil {
		return nil, false, err
	}
	var def meta.VHost
	old := b.meta.VHosts[o.Name]
	if old != nil {
		def = *old
	}
	def.Name, def.Description, def.Tags = o.Name, o.Description, o.Tags
	if o.DefaultQueueType != nil {
		def.DefaultQueueType = *o.DefaultQueueType
	}
	if o.Tracing != nil {
		def.Tracing = *o.Tracing
	}
	if o.Protected != nil {
		def.Protected = *o.Protected
	}
	if err := checkQueueType(def.DefaultQueueType); err != nil {
		return nil, false, err
	}
	if old != nil {
		return b.storeVHost(&def), false, nil
	}
	if err := b.overVHosts(o.Name, 0); err != nil {
		return nil, false, err
	}
	return b.addVHost(&def), true, nil
}

// checkQueueType: "undefined" and nothing are the node's default (RabbitMQ).
func checkQueueType(name string) error {
	switch name {
	case "", "undefined", "classic", "quorum", "stream":
		return nil
	}
	return invalid("Unsupported default queue type '%s'", name)
}

// ErrVHostDeleted is the cause of the error that sessions of a deleted virtual
// host are closed with.
var ErrVHostDeleted = errors.New("virtual host deleted")

// ProtectVHost sets whether a virtual host is protected from deletion.
func (b *Broker) ProtectVHost(ctx context.Context, name string, protected bool) error {
	return b.changeVHost(ctx, name, func(v *meta.VHost) error {
		v.Protected = protected
		return nil
	})
}

// DeleteVHost deletes a virtual host with all it holds, and closes its
// connections with 320 as RabbitMQ does. One that is protected is Refused.
func (b *Broker) DeleteVHost(ctx context.Context, name string) error {
	b.mu.Lock()
	v := b.vhosts[name]
	if v == nil || v.deleted {
		b.mu.Unlock()
		return missingVHost(name)
	}
	if b.meta.VHosts[name].Protected {
		b.mu.Unlock()
		return &Error{Refused, "protected_from_deletion", name, fmt.Sprintf("Refusing to delete virtual host '%s' because it is protected from deletion", name)}
	}
	v.deleted = true // from here on nothing joins it
	sessions := maps.Clone(v.sessions)
	b.mu.Unlock()
	gone := wire.Errorf(wire.ConnectionForced, "vhost '%s' is deleted", name)
	gone.Cause = ErrVHostDeleted
	closeAll(sessions, gone)
	pos, cs := b.dropVHost(ctx, v)
	return b.stored(ctx, pos, cs)
}

// open refuses what comes to a virtual host that is being deleted.
func (v *vhost) open() error {
	if v.deleted {
		return wire.Errorf(wire.ConnectionForced, "vhost '%s' is deleted", v.name)
	}
	return nil
}

// dropVHost takes a virtual host out of the topology. The changes have to be
// saved once the log is durable up to pos: tombstones go first.
func (b *Broker) dropVHost(ctx context.Context, v *vhost) (pos uint64, cs []meta.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.acts(actor(ctx))()
	for _, q := range v.queues {
		if _, at, err := q.Delete(false, false); err == nil {
			pos = max(pos, at)
		}
		v.retire(q)
		b.totals.deleted.Add(1)
		delete(b.byID, q.def.ID)
	}
	for _, x := range v.exchanges {
		x.gone.Store(true)
		delete(b.exByID, x.def.ID)
		if x.special != nil {
			b.dropShelf(x)
		}
	}
	clear(v.queues)
	clear(v.exchanges)
	gone := v.past()
	b.totals.retired.add(&gone)
	v.gone.Add(1)
	delete(b.vhosts, v.name)
	return pos, b.meta.DeleteVHost(v.name)
}

// closeAll ends sessions; their connections do the rest.
func closeAll(sessions map[*Session]bool, err *wire.Error) {
	for s := range sessions {
		if s.opt.Close != nil {
			s.opt.Close(err)
		}
	}
}

// SetVHostLimits replaces all limits of a virtual host: a JSON object of
// max-connections and max-queues; negative is none.
func (b *Broker) SetVHostLimits(ctx context.Context, vhost string, limits json.RawMessage) error {
	return b.changeVHostLimits(ctx, vhost, func(meta.Limits) (meta.Limits, error) { return vhostLimits.parse(limits) })
}

// SetVHostLimit changes one limit of a virtual host; value is JSON.
func (b *Broker) SetVHostLimit(ctx context.Context, vhost, name string, value json.RawMessage) error {
	return b.changeVHostLimits(ctx, vhost, func(old meta.Limits) (meta.Limits, error) { return vhostLimits.with(old, name, value) })
}

// ClearVHostLimit removes one limit of a virtual host, all of them when name is
// empty. One that is not set is cleared already.
func (b *Broker) ClearVHostLimit(ctx context.Context, vhost, name string) error {
	return b.changeVHostLimits(ctx, vhost, func(old meta.Limits) (meta.Limits, error) { return withoutLimit(old, name), nil })
}

func (b *Broker) changeVHostLimits(ctx context.Context, vhost string, change func(meta.Limits) (meta.Limits, error)) error {
	return b.changeVHost(ctx, vhost, func(v *meta.VHost) (err error) {
		v.Limits, err = change(v.Limits)
		return err
	})
}

// changeVHost puts a changed copy of a virtual host in its place.
func (b *Broker) changeVHost(ctx context.Context, name string, change func(*meta.VHost) error) error {
	return b.administer(ctx, func() ([]meta.Change, error) {
		old := b.meta.VHosts[name]
		if old == nil {
			return nil, missingVHost(name)
		}
		def := *old
		if err := change(&def); err != nil {
			return nil, err
		}
		return b.storeVHost(&def), nil
	})
}
