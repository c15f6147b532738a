package mgmt

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/leveretmq/leveret/broker"
)

// channelRow is a channel as it is listed.
type channelRow struct {
	*broker.ChannelView
	look *look
}

func channelName(ch *broker.ChannelView) string {
	return fmt.Sprintf("%s (%d)", ch.Connection.Name, ch.Number)
}

var channelColumns = []column[*channelRow]{ // read-only
	{"name", func(ch *channelRow) any { return channelName(ch.ChannelView) }},
	{"number", func(ch *channelRow) any { return int(ch.Number) }},
	{"user", func(ch *channelRow) any { return ch.Connection.User }},
	{"user_who_performed_action", func(ch *channelRow) any { return ch.Connection.User }},
	{"vhost", func(ch *channelRow) any { return ch.Connection.VHost }},
	{"node", func(ch *channelRow) any { return ch.look.c.srv.node() }},
	{"state", func(*channelRow) any { return "running" }},
	{"idle_since", func(ch *channelRow) any { return ch.idleSince() }},
	{"confirm", func(ch *channelRow) any { return ch.Confirm }},
	{"transactional", func(ch *channelRow) any { return ch.Transactional }},
	{"prefetch_count", func(ch *channelRow) any { return ch.Prefetch }},
	{"global_prefetch_count", func(ch *channelRow) any { return ch.GlobalPrefetch }},
	{"consumer_count", func(ch *channelRow) any { return len(ch.Consumers) }},
	{"messages_unacknowledged", func(ch *channelRow) any { return ch.Unacked }},
	{"messages_unconfirmed", func(ch *channelRow) any { return ch.Unconfirmed }},
	{"messages_uncommitted", func(ch *channelRow) any { return ch.UncommittedPublishes }},
	{"acks_uncommitted", func(ch *channelRow) any { return ch.UncommittedSettles }},
	{"pending_raft_commands", func(*channelRow) any { return 0 }},
	{"connection_details", func(ch *channelRow) any { return connectionDetails(ch.Connection) }},
	{"message_stats", func(ch *channelRow) any { return ch.stats() }},
	{"garbage_collection", func(*channelRow) any { return noGarbage }},
	{"reductions", func(*channelRow) any { return 0 }},
	{"reductions_details", func(*channelRow) any { return still }},
}

// channelDetailsColumns are what a single channel shows beside.
var channelDetailsColumns = joined(channelColumns, []column[*channelRow]{ // read-only
	{"consumer_details", func(ch *channelRow) any { return ch.consumerDetails() }},
	{"deliveries", func(ch *channelRow) any { return ch.deliveries() }},
	{"publishes", func(*channelRow) any { return list{} }},
})

func connectionDetails(c *broker.ConnectionView) object {
	host, port := peerOf(c.Peer)
	return object{{"name", c.Name}, {"peer_host", host}, {"peer_port", port}}
}

// channelDetails names a channel where something else belongs to it.
func channelDetails(ch *broker.ChannelView, node string) object {
	host, port := peerOf(ch.Connection.Peer)
	return object{{"connection_name", ch.Connection.Name}, {"name", channelName(ch)}, {"node", node}, {"number", int(ch.Number)},
		{"peer_host", host}, {"peer_port", port}, {"user", ch.Connection.User}}
}

func (ch *channelRow) stats() object {
	p := ch.look.c.srv.samples.past(channelSeries(ch.ChannelView), channelVector(ch.ChannelView), ch.look.ages)
	return p.stats(ch.look.ages.messages, publishStats, deliverStats)
}

// idleSince is absent while something changes.
func (ch *channelRow) idleSince() any {
	at := ch.look.c.srv.samples.changed(channelSeries(ch.ChannelView), channelVector(ch.ChannelView))
	if at.IsZero() || time.Since(at) < sampleEvery {
		return absent{}
	}
	return moment(at)
}

func (ch *channelRow) consumerDetails() []object {
	all := []object{}
	for i := range ch.Consumers {
		all = append(all, asObject(consumerColumns, &consumerRow{&ch.Consumers[i], ch.look.c.srv.node()}))
	}
	return all
}

// deliveries are what the channel got from each queue.
func (ch *channelRow) deliveries() []object {
	all := []object{}
	for _, name := range slices.Sorted(maps.Keys(ch.Deliveries)) {
		all = append(all, object{{"queue", object{{"name", name}, {"vhost", ch.Connection.VHost}}}, {"stats", ch.look.delivered(ch.ChannelView, name)}})
	}
	return all
}

// channelRows are the channels that the path and the user's rights leave.
func (c *call) channelRows() []*channelRow {
	l := c.look()
	vhost, byVHost := c.vars["vhost"]
	var all []*channelRow
	for _, ch := range c.srv.opt.AMQP.Channels() {
		if c.seesUser(ch.Connection.User) && (!byVHost || ch.Connection.VHost == vhost) {
			all = append(all, &channelRow{ch, l})
		}
	}
	return all
}

func (c *call) channels() error {
	if _, ofOne := c.vars["vhost"]; ofOne {
		if err := c.inside(); err != nil {
			return err
		}
	}
	return rows(c, channelColumns, c.channelRows())
}

func (c *call) oneChannel() error {
	for _, ch := range c.srv.opt.AMQP.Channels() {
		if channelName(ch) != c.vars["channel"] {
			continue
		}
		if !c.seesUser(ch.Connection.User) {
			return refused("User not authorised to access object")
		}
		return row(c, channelDetailsColumns, &channelRow{ch, c.look()})
	}
	return missing()
}

// consumerRow is a consumer as it is listed.
type consumerRow struct {
	*broker.ConsumerView
	node string
}

var consumerColumns = []column[*consumerRow]{ // read-only
	{"consumer_tag", func(k *consumerRow) any { return k.Tag }},
	{"queue", func(k *consumerRow) any { return object{{"name", k.Queue}, {"vhost", k.Channel.Connection.VHost}} }},
	{"channel_details", func(k *consumerRow) any { return channelDetails(k.Channel, k.node) }},
	{"ack_required", func(k *consumerRow) any { return !k.NoAck }},
	{"exclusive", func(k *consumerRow) any { return k.Exclusive }},
	{"prefetch_count", func(k *consumerRow) any { return k.Prefetch }},
	{"active", func(k *consumerRow) any { return k.Active }},
	{"activity_status", func(k *consumerRow) any { return k.status() }},
	{"arguments", func(k *consumerRow) any { return k.Arguments }},
}

// status is RabbitMQ's word for whether the queue serves the consumer.
func (k *consumerRow) status() string {
	switch {
	case !k.Active:
		return "waiting"
	case k.Single:
		return "single_active"
	}
	return "up"
}

// consumers lists those of all channels that the user may see. RabbitMQ: of a
// virtual host, to whoever asks, what he may see of it.
func (c *call) consumers() error {
	if _, ofOne := c.vars["vhost"]; ofOne {
		if err := c.inside(); err != nil {
			return err
		}
	}
	var all []*consumerRow
	for _, ch := range c.channelRows() {
		for i := range ch.Consumers {
			all = append(all, &consumerRow{&ch.Consumers[i], c.srv.node()})
		}
	}
	return rows(c, consumerColumns, all)
}
