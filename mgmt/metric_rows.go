package mgmt

import (
	"github.com/leveretmq/leveret/broker"
)

// nameQueues gives the queues their labels.
func (x *scrape) nameQueues() {
	x.look()
	for i := range x.queues {
		if q := &x.queues[i]; q.labels == "" {
			q.labels = label("vhost", q.of.VHost, "queue", q.of.Name)
		}
	}
}

// node writes what is told of the node itself.
func (x *scrape) node() {
	x.alarms()
	x.churn()
	u := x.s.usage()
	single(&x.exposition, nodeCoarse, u)
	single(&x.exposition, nodeLimits, u)
	x.identity()
}

func (x *scrape) alarms() {
	for _, a := range []struct {
		name, help string
		raised     bool
	}{
		{"alarms_file_descriptor_limit", "is 1 if the alarm of file descriptors is in effect", false},
		{"alarms_free_disk_space_watermark", "is 1 if the alarm of free disk space is in effect", x.s.alarmed(broker.DiskAlarm)},
		{"alarms_memory_used_watermark", "is 1 if the alarm of memory is in effect", x.s.alarmed(broker.MemoryAlarm)},
	} {
		x.family(a.name, "untyped", a.help)
		x.sample(a.name, "", number01(a.raised))
	}
}

func number01(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (x *scrape) churn() {
	c, q := x.s.opt.AMQP.Churn(), x.s.opt.Broker.Churn()
	for _, n := range []struct {
		name, help string
		total      uint64
	}{
		{"connections_opened_total", "Connections opened", c.Opened}, {"connections_closed_total", "Connections closed or terminated", c.Closed},
		{"channels_opened_total", "Channels opened", c.ChannelsOpened}, {"channels_closed_total", "Channels closed", c.ChannelsClosed},
		{"queues_declared_total", "Queues declared", q.QueuesDeclared}, {"queues_created_total", "Queues created", q.QueuesCreated},
		{"queues_deleted_total", "Queues deleted", q.QueuesDeleted},
	} {
		x.family(n.name, counter, n.help)
		x.sample(n.name, "", float64(n.total))
	}
}

// logins counts those of both protocols.
func (x *scrape) logins() {
	c := x.s.opt.AMQP.Churn()
	http := [2]uint64{x.s.logins.good.Load(), x.s.logins.bad.Load()}
	amqp := [2]uint64{c.Logins, c.FailedLogins}
	for _, n := range []struct {
		name, help string
		of         func(l [2]uint64) uint64
	}{
		{"auth_attempts_total", "Logins tried", func(l [2]uint64) uint64 { return l[0] + l[1] }},
		{"auth_attempts_succeeded_total", "Logins that succeeded", func(l [2]uint64) uint64 { return l[0] }},
		{"auth_attempts_failed_total", "Logins that failed", func(l [2]uint64) uint64 { return l[1] }},
	} {
		x.family(n.name, counter, n.help)
		x.sample(n.name, label("protocol", "http"), float64(n.of(http)))
		x.sample(n.name, label("protocol", "amqp091"), float64(n.of(amqp)))
	}
}

func (x *scrape) labelledChannels() []labelled[*broker.ChannelView] {
	all := make([]labelled[*broker.ChannelView], len(x.channels))
	for i, ch := range x.channels {
		all[i] = labelled[*broker.ChannelView]{label("channel", channelName(ch)), ch}
	}
	return all
}

func (x *scrape) channelPublishes() []labelled[*broker.PublishCounts] {
	all := make([]labelled[*broker.PublishCounts], len(x.channels))
	for i, ch := range x.channels {
		all[i] = labelled[*broker.PublishCounts]{label("channel", channelName(ch)), &ch.Publish}
	}
	return all
}

func (x *scrape) channelDeliveries() (all []labelled[*broker.DeliverCounts]) {
	for _, ch := range x.channels {
		for queue, d := range ch.Deliveries {
			if x.in(ch.Connection.VHost) {
				all = append(all, labelled[*broker.DeliverCounts]{label("channel", channelName(ch), "vhost", ch.Connection.VHost, "queue", queue), &d})
			}
		}
	}
	return all
}

func (x *scrape) connections() []labelled[*broker.ConnectionView] {
	views := x.s.opt.AMQP.Connections()
	all := make([]labelled[*broker.ConnectionView], len(views))
	for i := range views {
		all[i] = labelled[*broker.ConnectionView]{label("connection", views[i].Name), &views[i]}
	}
	return all
}

func (x *scrape) connectionOctets() (all []labelled[broker.WireCounts]) {
	for _, c := range x.connections() {
		all = append(all, labelled[broker.WireCounts]{c.labels, c.of.Wire})
	}
	return all
}

// octets adds those of open connections to those of closed ones.
func (x *scrape) octets(sum broker.WireCounts) broker.WireCounts {
	for _, c := range x.connections() {
		sum.Received += c.of.Wire.Received
		sum.Sent += c.of.Wire.Sent
		sum.Reads += c.of.Wire.Reads
		sum.Writes += c.of.Wire.Writes
	}
	return sum
}

func (x *scrape) exchanges() {
	all := x.s.opt.Broker.Exchanges(x.in)
	for _, m := range []metric[*broker.PublishCounts]{
		{"exchange_messages_published_total", counter, "Messages published to an exchange", func(c *broker.PublishCounts) float64 { return float64(c.Published) }},
		{"exchange_messages_unroutable_returned_total", counter, "Mandatory messages that no queue got", func(c *broker.PublishCounts) float64 { return float64(c.Returned) }},
		{"exchange_messages_unroutable_dropped_total", counter, "Messages that no queue got", func(c *broker.PublishCounts) float64 { return float64(c.Dropped) }},
	} {
		x.family(m.name, m.kind, m.help)
		for i := range all {
			x.sample(m.name, label("vhost", all[i].VHost, "exchange", all[i].Name), m.value(&all[i].PublishCounts))
		}
	}
}

// The following are of the cluster, with a prefix of their own.

func (x *scrape) vhostStatus() {
	x.prefix = "rabbitmq_"
	x.family("cluster_vhost_status", gauge, "Whether a virtual host is running")
	for _, v := range x.s.opt.Broker.VHosts() {
		x.sample("cluster_vhost_status", label("vhost", v.Name), 1)
	}
}

func (x *scrape) exchangeNames() {
	x.prefix = "rabbitmq_"
	x.family("cluster_exchange_name", gauge, "The exchanges")
	for _, e := range x.s.opt.Broker.Exchanges(x.in) {
		x.sample("cluster_exchange_name", label("vhost", e.VHost, "exchange", e.Name, "type", e.Kind), 1)
	}
}

func (x *scrape) exchangeBindings() {
	x.prefix = "rabbitmq_"
	bindings := map[place]int{}
	for _, b := range x.s.opt.Broker.Bindings(x.in) {
		bindings[place{b.VHost, b.Source}]++
	}
	x.family("cluster_exchange_bindings", gauge, "Number of bindings of an exchange")
	for _, e := range x.s.opt.Broker.Exchanges(x.in) {
		x.sample("cluster_exchange_bindings", label("vhost", e.VHost, "exchange", e.Name, "type", e.Kind), float64(bindings[place{e.VHost, e.Name}]))
	}
}

const amqp091 = `protocol="amqp091"`

// totals writes how much there is, and the counts of the whole node, which
// never fall.
func (x *scrape) totals(node *broker.Traffic) {
	consumers, publishers := 0, 0
	for _, ch := range x.channels {
		consumers += len(ch.Consumers)
		if ch.Publish.Published > 0 {
			publishers++
		}
	}
	for _, n := range []struct {
		name, help string
		n          int
	}{
		{"connections", "Connections open", len(x.connections())}, {"channels", "Channels open", len(x.channels)},
		{"consumers", "Consumers", consumers}, {"queues", "Queues", len(x.queues)},
	} {
		x.family(n.name, gauge, n.help)
		x.sample(n.name, "", float64(n.n))
	}
	x.family("global_consumers", gauge, "Consumers")
	x.sample("global_consumers", "{"+amqp091+"}", float64(consumers))
	x.family("global_publishers", gauge, "Channels that have published")
	x.sample("global_publishers", "{"+amqp091+"}", float64(publishers))
	x.globalPublishes(&node.Publish)
	x.globalDeliveries(node)
}

func (x *scrape) globalPublishes(c *broker.PublishCounts) {
	for _, n := range []struct {
		name, help string
		n          uint64
	}{
		{"global_messages_received_total", "Messages received from publishers", c.Published},
		{"global_messages_received_confirm_total", "Messages received from publishers that wait for confirms", c.Awaited},
		{"global_messages_confirmed_total", "Messages confirmed to publishers", c.Confirmed},
		{"global_messages_routed_total", "Messages routed to queues", c.Routed},
		{"global_messages_unroutable_dropped_total", "Messages that no queue got", c.Dropped},
		{"global_messages_unroutable_returned_total", "Mandatory messages that no queue got", c.Returned},
	} {
		x.family(n.name, counter, n.help)
		x.sample(n.name, "{"+amqp091+"}", float64(n.n))
	}
}

func (x *scrape) globalDeliveries(node *broker.Traffic) {
	for _, m := range []metric[broker.DeliverCounts]{
		{"global_messages_delivered_total", counter, "Messages delivered", func(c broker.DeliverCounts) float64 { return float64(c.Delivered + c.NoAck + c.Got + c.GotNoAck) }},
		{"global_messages_delivered_consume_manual_ack_total", counter, "Messages delivered with acknowledgement", func(c broker.DeliverCounts) float64 { return float64(c.Delivered) }},
		{"global_messages_delivered_consume_auto_ack_total", counter, "Messages delivered without acknowledgement", func(c broker.DeliverCounts) float64 { return float64(c.NoAck) }},
		{"global_messages_delivered_get_manual_ack_total", counter, "Messages got with acknowledgement", func(c broker.DeliverCounts) float64 { return float64(c.Got) }},
		{"global_messages_delivered_get_auto_ack_total", counter, "Messages got without acknowledgement", func(c broker.DeliverCounts) float64 { return float64(c.GotNoAck) }},
		{"global_messages_get_empty_total", counter, "Gets from empty queues", func(c broker.DeliverCounts) float64 { return float64(c.GotNothing) }},
		{"global_messages_redelivered_total", counter, "Messages delivered again", func(c broker.DeliverCounts) float64 { return float64(c.Redelivered) }},
		{"global_messages_acknowledged_total", counter, "Messages acknowledged", func(c broker.DeliverCounts) float64 { return float64(c.Acknowledged) }},
	} {
		x.family(m.name, m.kind, m.help)
		for i, kind := range broker.QueueTypes {
			x.sample(m.name, "{"+amqp091+`,queue_type="rabbit_`+kind+`_queue"}`, m.value(delivered(&node.ByType[i])))
		}
	}
}
