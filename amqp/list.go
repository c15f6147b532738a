package amqp

import (
	"cmp"
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/queue"
)

// churn is broker.ConnectionChurn as it is counted.
type churn struct {
	opened, closed, channelsOpened, channelsClosed, logins, failedLogins atomic.Uint64

	received, reads, sent, writes atomic.Uint64 // of closed connections
}

// Churn gives totals since the start.
func (s *Server) Churn() broker.ConnectionChurn {
	c := &s.churn
	return broker.ConnectionChurn{Opened: c.opened.Load(), Closed: c.closed.Load(), ChannelsOpened: c.channelsOpened.Load(),
		ChannelsClosed: c.channelsClosed.Load(), Logins: c.logins.Load(), FailedLogins: c.failedLogins.Load(),
		Gone: broker.WireCounts{Received: c.received.Load(), Reads: c.reads.Load(), Sent: c.sent.Load(), Writes: c.writes.Load()}}
}

// Connections lists the open connections by name, from open-ok on.
func (s *Server) Connections() []broker.ConnectionView {
	var all []broker.ConnectionView
	s.each(func(c *conn) {
		if c.listed.Load() {
			all = append(all, c.view())
		}
	})
	slices.SortFunc(all, func(x, y broker.ConnectionView) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// Channels lists the open channels, by connection and number.
func (s *Server) Channels() []*broker.ChannelView {
	var all []*broker.ChannelView
	s.each(func(c *conn) {
		if !c.listed.Load() {
			return
		}
		v := c.view()
		for _, ch := range c.channels.list() {
			if view := ch.view(&v); view != nil {
				all = append(all, view)
			}
		}
	})
	slices.SortFunc(all, func(x, y *broker.ChannelView) int {
		return cmp.Or(strings.Compare(x.Connection.Name, y.Connection.Name), cmp.Compare(x.Number, y.Number))
	})
	return all
}

// CloseConnection closes the connection of that name with 320, false when there
// is none.
func (s *Server) CloseConnection(name, reason string) bool {
	found := false
	s.each(func(c *conn) {
		if c.peer.name == name && c.listed.Load() {
			found = true
			c.force(wire.Errorf(wire.ConnectionForced, "%s", reason))
		}
	})
	return found
}

// show lists the connection from now on: what view reads of it does not change
// any more.
func (c *conn) show() {
	c.listed.Store(true)
	c.srv.churn.opened.Add(1)
}

// hide ends that, before the client can know that the connection ends.
func (c *conn) hide() {
	if !c.listed.Swap(false) {
		return
	}
	n, out := &c.srv.churn, c.out.counts()
	n.closed.Add(1)
	n.received.Add(c.in.came.octets.Load())
	n.reads.Add(c.in.came.reads.Load())
	n.sent.Add(out.Sent)
	n.writes.Add(out.Writes)
}

func (c *conn) view() broker.ConnectionView {
	v := broker.ConnectionView{
		Name: c.peer.name, User: c.peer.user, VHost: c.peer.vhost, State: "running",
		Peer: c.nc.RemoteAddr(), Local: c.nc.LocalAddr(), Since: c.since,
		Mechanism: c.peer.mechanism, Properties: c.peer.properties,
		ChannelMax: c.channels.max, FrameMax: c.out.frameMax, Heartbeat: 2 * c.beat.half,
		Channels: c.channels.count(), Wire: c.out.counts(),
	}
	v.Wire.Received, v.Wire.Reads = c.in.came.octets.Load(), c.in.came.reads.Load()
	if c.told.Load() {
		v.State = "blocked"
	}
	if t, ok := c.nc.(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := t.ConnectionState()
		v.TLS = &state
	}
	return v
}

// counts gives the writing side of a connection's counts.
func (o *outbound) counts() broker.WireCounts {
	o.mu.Lock()
	defer o.mu.Unlock()
	w := broker.WireCounts{Sent: o.sent, Writes: o.writes}
	if o.cur != nil {
		w.Pending = o.cur.size
	}
	return w
}

// view is nil when the channel has just ended.
func (ch *channel) view(c *broker.ConnectionView) *broker.ChannelView {
	v, consumers := ch.look(c)
	for _, k := range consumers { // asks the queue, whose mutex comes before the channel's
		v.Consumers = append(v.Consumers, k.view(v))
	}
	return v
}

// look is view but for the consumers, which it gives in the order of their tags.
func (ch *channel) look(c *broker.ConnectionView) (v *broker.ChannelView, consumers []*consumer) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.muted {
		return nil, nil
	}
	l := &ch.listing
	v = &broker.ChannelView{Connection: c, Number: ch.id, Confirm: l.window != nil, Transactional: l.transactional,
		Prefetch: int(ch.credit.each), GlobalPrefetch: int(ch.credit.limit.Load()), Unacked: ch.unacked.live,
		UncommittedPublishes: ch.publisher.Uncommitted(), Publish: ch.publisher.Counts(), DeliveriesOfOthers: l.counts.others}
	if l.window != nil {
		v.Publish.Confirmed, v.Unconfirmed = l.window.Counts()
	}
	for _, s := range ch.acks.tx {
		v.UncommittedSettles += int(s.to - s.from + 1)
	}
	v.Deliveries = make(map[string]broker.DeliverCounts, len(l.counts.byQueue))
	for name, n := range l.counts.byQueue {
		v.Deliveries[name] = *n
	}
	for _, tag := range slices.Sorted(maps.Keys(ch.consumers)) {
		consumers = append(consumers, ch.consumers[tag])
	}
	return v, consumers
}

func (k *consumer) view(ch *broker.ChannelView) broker.ConsumerView {
	o := k.qc.Options()
	return broker.ConsumerView{Channel: ch, Queue: k.qc.Queue().Options().Name, Tag: k.tag, NoAck: k.noAck, Exclusive: o.Exclusive,
		Prefetch: int(o.Prefetch), Priority: o.Priority, Arguments: o.Arguments,
		Active: k.qc.Active(), Single: k.qc.Queue().Options().Arguments.SingleActive}
}

// listing is what only lists want to know of a channel; guarded by channel.mu.
type listing struct {
	counts        counts
	window        *broker.Confirms // nil: no confirms
	transactional bool
}

// counts of a channel's deliveries.
type counts struct {
	byQueue map[string]*broker.DeliverCounts
	others  broker.DeliverCounts // of queues beyond countedMost
}

// countedMost bounds the queues that a channel tells apart.
const countedMost = 256

// of gives the counts for deliveries from a queue.
func (c *counts) of(q *queue.Queue) *broker.DeliverCounts {
	name := q.Options().Name
	if n := c.byQueue[name]; n != nil {
		return n
	}
	if len(c.byQueue) >= countedMost {
		return &c.others
	}
	if c.byQueue == nil {
		c.byQueue = make(map[string]*broker.DeliverCounts)
	}
	n := new(broker.DeliverCounts)
	c.byQueue[name] = n
	return n
}

// count counts deliveries that went out. Called with channel.mu.
func (k *consumer) count(ds []queue.Delivery) {
	if k.noAck {
		k.counts.NoAck += uint64(len(ds))
	} else {
		k.counts.Delivered += uint64(len(ds))
	}
	for i := range ds {
		if ds[i].Redelivered {
			k.counts.Redelivered++
		}
	}
}

// countGet counts a get that found something. Called with channel.mu.
func (k *consumer) countGet(noAck, redelivered bool) {
	if noAck {
		k.counts.GotNoAck++
	} else {
		k.counts.Got++
	}
	if redelivered {
		k.counts.Redelivered++
	}
}

// nothing counts a get that found nothing.
func (k *consumer) nothing() {
	k.ch.mu.Lock()
	k.counts.GotNothing++
	k.ch.mu.Unlock()
}
