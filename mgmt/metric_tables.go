package mgmt

import (
	"runtime"
	"time"

	"github.com/leveretmq/leveret/broker"
)

const (
	gauge   = "gauge"
	counter = "counter"
)

func joinedMetrics[T any](lists ...[]metric[T]) (all []metric[T]) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

var queueCoarse = []metric[*broker.QueueView]{ // read-only
	{"queue_messages_ready", gauge, "Messages ready to be delivered to consumers", func(q *broker.QueueView) float64 { return float64(q.Ready) }},
	{"queue_messages_unacked", gauge, "Messages delivered to consumers and not yet acknowledged", func(q *broker.QueueView) float64 { return float64(q.Unacked) }},
	{"queue_messages", gauge, "Messages ready and unacknowledged", func(q *broker.QueueView) float64 { return float64(q.Ready + q.Unacked) }},
}

// queueMore begins with the consumers, which are a family by themselves too.
var queueMore = []metric[*broker.QueueView]{ // read-only
	{"queue_consumers", gauge, "Consumers of a queue", func(q *broker.QueueView) float64 { return float64(q.Consumers) }},
	{"queue_process_memory_bytes", gauge, "Memory that a queue takes", func(q *broker.QueueView) float64 { return float64(queueMemory(q)) }},
	{"queue_messages_ram", gauge, "Messages kept in memory", func(q *broker.QueueView) float64 { return float64(q.Ready + q.Unacked - q.Persistent) }},
	{"queue_messages_ram_bytes", gauge, "Octets of messages kept in memory", func(q *broker.QueueView) float64 { return float64(q.ArenaBytes) }},
	{"queue_messages_persistent", gauge, "Messages that survive a restart", func(q *broker.QueueView) float64 { return float64(q.Persistent) }},
	{"queue_messages_persistent_bytes", gauge, "Octets of messages that survive a restart", func(q *broker.QueueView) float64 { return float64(q.PersistentBytes) }},
	{"queue_messages_bytes", gauge, "Octets of messages ready and unacknowledged", func(q *broker.QueueView) float64 { return float64(q.Bytes) }},
	{"queue_messages_ready_bytes", gauge, "Octets of ready messages", func(q *broker.QueueView) float64 { return float64(q.ReadyBytes) }},
	{"queue_messages_unacked_bytes", gauge, "Octets of unacknowledged messages", func(q *broker.QueueView) float64 { return float64(q.Bytes - q.ReadyBytes) }},
	{"queue_messages_paged_out", gauge, "Messages on disk", func(q *broker.QueueView) float64 { return float64(q.Persistent) }},
	{"queue_messages_paged_out_bytes", gauge, "Octets of messages on disk", func(q *broker.QueueView) float64 { return float64(q.PersistentBytes) }},
}

// queueOwn is per queue only; its sum is another family.
var queueOwn = []metric[*broker.QueueView]{ // read-only
	{"queue_messages_published_total", counter, "Messages published to a queue", func(q *broker.QueueView) float64 { return float64(q.Published) }},
}

var queueDeliveries = []metric[*broker.QueueView]{ // read-only
	{"queue_get_ack_total", counter, "Messages got with acknowledgement", func(q *broker.QueueView) float64 { return float64(q.Got) }},
	{"queue_get_total", counter, "Messages got without acknowledgement", func(q *broker.QueueView) float64 { return float64(q.GotNoAck) }},
	{"queue_messages_delivered_ack_total", counter, "Messages delivered with acknowledgement", func(q *broker.QueueView) float64 { return float64(delivered(&q.Counters).Delivered) }},
	{"queue_messages_delivered_total", counter, "Messages delivered without acknowledgement", func(q *broker.QueueView) float64 { return float64(q.NoAck) }},
	{"queue_messages_redelivered_total", counter, "Messages delivered again", func(q *broker.QueueView) float64 { return float64(q.Redelivered) }},
	{"queue_messages_acked_total", counter, "Messages acknowledged", func(q *broker.QueueView) float64 { return float64(q.Acknowledged) }},
	{"queue_get_empty_total", counter, "Gets from the empty queue", func(q *broker.QueueView) float64 { return float64(q.GotNothing) }},
}

var channelGauges = []metric[*broker.ChannelView]{ // read-only
	{"channel_consumers", gauge, "Consumers of a channel", func(ch *broker.ChannelView) float64 { return float64(len(ch.Consumers)) }},
	{"channel_messages_unacked", gauge, "Messages delivered and not yet acknowledged", func(ch *broker.ChannelView) float64 { return float64(ch.Unacked) }},
	{"channel_messages_unconfirmed", gauge, "Messages published and not yet confirmed", func(ch *broker.ChannelView) float64 { return float64(ch.Unconfirmed) }},
	{"channel_messages_uncommitted", gauge, "Messages published in an open transaction", func(ch *broker.ChannelView) float64 { return float64(ch.UncommittedPublishes) }},
	{"channel_acks_uncommitted", gauge, "Acknowledgements in an open transaction", func(ch *broker.ChannelView) float64 { return float64(ch.UncommittedSettles) }},
	{"consumer_prefetch", gauge, "Prefetch of each new consumer", func(ch *broker.ChannelView) float64 { return float64(ch.Prefetch) }},
	{"channel_prefetch", gauge, "Prefetch that the consumers of a channel share", func(ch *broker.ChannelView) float64 { return float64(ch.GlobalPrefetch) }},
}

var channelPublishes = []metric[*broker.PublishCounts]{ // read-only
	{"channel_messages_published_total", counter, "Messages published", func(c *broker.PublishCounts) float64 { return float64(c.Published) }},
	{"channel_messages_confirmed_total", counter, "Messages confirmed", func(c *broker.PublishCounts) float64 { return float64(c.Confirmed) }},
	{"channel_messages_unroutable_returned_total", counter, "Mandatory messages that no queue got", func(c *broker.PublishCounts) float64 { return float64(c.Returned) }},
	{"channel_messages_unroutable_dropped_total", counter, "Messages that no queue got", func(c *broker.PublishCounts) float64 { return float64(c.Dropped) }},
}

var channelDeliveries = []metric[*broker.DeliverCounts]{ // read-only
	{"channel_get_ack_total", counter, "Messages got with acknowledgement", func(c *broker.DeliverCounts) float64 { return float64(c.Got) }},
	{"channel_get_total", counter, "Messages got without acknowledgement", func(c *broker.DeliverCounts) float64 { return float64(c.GotNoAck) }},
	{"channel_messages_delivered_ack_total", counter, "Messages delivered with acknowledgement", func(c *broker.DeliverCounts) float64 { return float64(c.Delivered) }},
	{"channel_messages_delivered_total", counter, "Messages delivered without acknowledgement", func(c *broker.DeliverCounts) float64 { return float64(c.NoAck) }},
	{"channel_messages_redelivered_total", counter, "Messages delivered again", func(c *broker.DeliverCounts) float64 { return float64(c.Redelivered) }},
	{"channel_messages_acked_total", counter, "Messages acknowledged", func(c *broker.DeliverCounts) float64 { return float64(c.Acknowledged) }},
	{"channel_get_empty_total", counter, "Gets from empty queues", func(c *broker.DeliverCounts) float64 { return float64(c.GotNothing) }},
}

// connectionCounters: the first two are a family by themselves.
var connectionCounters = []metric[broker.WireCounts]{ // read-only
	{"connection_incoming_bytes_total", counter, "Octets received", func(w broker.WireCounts) float64 { return float64(w.Received) }},
	{"connection_outgoing_bytes_total", counter, "Octets sent", func(w broker.WireCounts) float64 { return float64(w.Sent) }},
	{"connection_incoming_packets_total", counter, "Reads from the socket", func(w broker.WireCounts) float64 { return float64(w.Reads) }},
	{"connection_outgoing_packets_total", counter, "Writes to the socket", func(w broker.WireCounts) float64 { return float64(w.Writes) }},
}

var connectionGauges = []metric[*broker.ConnectionView]{ // read-only
	{"connection_pending_packets", gauge, "Octets that wait to be sent", func(c *broker.ConnectionView) float64 { return float64(c.Wire.Pending) }},
	{"connection_channels", gauge, "Channels of a connection", func(c *broker.ConnectionView) float64 { return float64(c.Channels) }},
}

var queuePublished = []metric[uint64]{ // read-only
	{"queue_messages_published_total", counter, "Messages published to queues", func(n uint64) float64 { return float64(n) }},
}

// usage is what the process uses, for metrics.
type usage struct {
	resources
	sockets uint64
	uptime  time.Duration
}

func (s *Server) usage() usage {
	c := s.opt.AMQP.Churn()
	return usage{s.machine(), c.Opened - c.Closed, time.Since(s.opt.Node.Started)}
}

var nodeCoarse = []metric[usage]{ // read-only
	{"process_open_fds", gauge, "Open file descriptors", func(u usage) float64 { return float64(u.files) }},
	{"process_open_tcp_sockets", gauge, "Open TCP sockets", func(u usage) float64 { return float64(u.sockets) }},
	{"process_resident_memory_bytes", gauge, "Memory used in octets", func(u usage) float64 { return float64(u.MemoryUsed) }},
	{"disk_space_available_bytes", gauge, "Disk space available in octets", func(u usage) float64 { return float64(u.DiskFree) }},
	{"erlang_processes_used", gauge, "Goroutines", func(usage) float64 { return float64(runtime.NumGoroutine()) }},
	{"erlang_gc_runs_total", counter, "Garbage collections", func(usage) float64 { return float64(collections()) }},
}

var nodeLimits = []metric[usage]{ // read-only
	{"process_max_fds", gauge, "Limit of open file descriptors", func(usage) float64 { return float64(filesLimit()) }},
	{"process_max_tcp_sockets", gauge, "Limit of open TCP sockets", func(usage) float64 { return float64(filesLimit()) }},
	{"resident_memory_limit_bytes", gauge, "Memory high watermark in octets", func(u usage) float64 { return float64(u.MemoryLimit) }},
	{"disk_space_available_limit_bytes", gauge, "Free disk space low watermark in octets", func(u usage) float64 { return float64(u.DiskLimit) }},
	{"erlang_uptime_seconds", gauge, "Time since the node's start", func(u usage) float64 { return u.uptime.Seconds() }},
}
