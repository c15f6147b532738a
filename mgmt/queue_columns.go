package mgmt

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/broker"
)

// queueRow is a queue as it is listed. What few columns need is found when one
// asks for it.
type queueRow struct {
	*broker.QueueView
	look   *look
	past   past
	viewed bool
}

// look is what the rows of one call have in common.
type look struct {
	c         *call
	ages      *ages
	consumers map[place][]*broker.ConsumerView // nil: not looked for yet
	channels  []*broker.ChannelView
}

// place is a name in a virtual host.
type place struct{ vhost, name string }

func (c *call) look() *look { return &look{c: c, ages: agesOf(c.query)} }

// of gives the consumers of a queue.
func (l *look) of(q place) []*broker.ConsumerView {
	if l.consumers == nil {
		l.consumers = map[place][]*broker.ConsumerView{}
		l.channels = l.c.srv.opt.AMQP.Channels()
		for _, ch := range l.channels {
			for i := range ch.Consumers {
				at := place{ch.Connection.VHost, ch.Consumers[i].Queue}
				l.consumers[at] = append(l.consumers[at], &ch.Consumers[i])
			}
		}
	}
	return l.consumers[q]
}

func (q *queueRow) consumers() []*broker.ConsumerView {
	if q.Consumers == 0 {
		return nil
	}
	return q.look.of(place{q.VHost, q.Name})
}

// before gives what is known of the queue's past.
func (q *queueRow) before() *past {
	if !q.viewed {
		q.viewed = true
		q.past = q.look.c.srv.samples.past(series{aQueue, q.ID, ""}, queueVector(&q.Stats), q.look.ages)
	}
	return &q.past
}

func (q *queueRow) length(of ...int) any { return q.before().details(q.look.ages.lengths, of...) }
func (q *queueRow) node() string         { return q.look.c.srv.node() }
func (q *queueRow) is(kind string) bool  { return q.Type() == kind }
func (q *queueRow) ram() int             { return max(q.Ready+q.Unacked-q.Persistent, 0) }

// only gives a value to queues of some types.
func (q *queueRow) only(v any, kinds ...string) any {
	for _, kind := range kinds {
		if q.is(kind) {
			return v
		}
	}
	return absent{}
}

// Types of queues.
const (
	classic = "classic"
	quorum  = "quorum"
	stream  = "stream"
)

// queueBasics are what is listed without statistics.
var queueBasics = []column[*queueRow]{ // read-only
	{"name", func(q *queueRow) any { return q.Name }},
	{"vhost", func(q *queueRow) any { return q.VHost }},
	{"type", func(q *queueRow) any { return q.Type() }},
	{"durable", func(q *queueRow) any { return q.Durable }},
	{"auto_delete", func(q *queueRow) any { return q.AutoDelete }},
	{"exclusive", func(q *queueRow) any { return q.Exclusive }},
	{"arguments", func(q *queueRow) any { return q.Arguments }},
	{"node", func(q *queueRow) any { return q.node() }},
	{"state", func(*queueRow) any { return "running" }},
}

var queueTotals = []column[*queueRow]{ // read-only
	{"messages", func(q *queueRow) any { return q.Ready + q.Unacked }},
	{"messages_ready", func(q *queueRow) any { return q.Ready }},
	{"messages_unacknowledged", func(q *queueRow) any { return q.Unacked }},
}

// queueReplicas say where the queue is.
var queueReplicas = []column[*queueRow]{ // read-only
	{"leader", func(q *queueRow) any { return q.only(q.node(), quorum) }},
	{"members", func(q *queueRow) any { return q.only(list{q.node()}, quorum, stream) }},
	{"online", func(q *queueRow) any { return q.only(list{q.node()}, quorum, stream) }},
	{"policy", func(q *queueRow) any { return orNull(q.Policy) }},
}

var queueColumns = joined(queueBasics, queueTotals, queueReplicas, []column[*queueRow]{ // read-only
	{"messages_details", func(q *queueRow) any { return q.length(ofReady, ofUnacked) }},
	{"messages_ready_details", func(q *queueRow) any { return q.length(ofReady) }},
	{"messages_unacknowledged_details", func(q *queueRow) any { return q.length(ofUnacked) }},
	{"messages_persistent", func(q *queueRow) any { return q.only(q.Persistent, classic, quorum) }},
	{"messages_ram", func(q *queueRow) any { return q.only(q.ram(), classic, quorum) }},
	{"messages_ready_ram", func(q *queueRow) any { return q.only(min(q.Ready, q.ram()), classic) }},
	{"messages_unacknowledged_ram", func(q *queueRow) any { return q.only(min(q.Unacked, q.ram()), classic) }},
	{"messages_paged_out", func(q *queueRow) any { return q.only(q.Persistent, classic) }},
	{"messages_dlx", func(q *queueRow) any { return q.only(q.Leaving, quorum) }},
	{"message_bytes", func(q *queueRow) any { return q.only(q.Bytes, classic, quorum) }},
	{"message_bytes_ready", func(q *queueRow) any { return q.only(q.ReadyBytes, classic, quorum) }},
	{"message_bytes_unacknowledged", func(q *queueRow) any { return q.only(max(q.Bytes-q.ReadyBytes, 0), classic, quorum) }},
	{"message_bytes_persistent", func(q *queueRow) any { return q.only(q.PersistentBytes, classic, quorum) }},
	{"message_bytes_ram", func(q *queueRow) any { return q.only(q.ArenaBytes, classic, quorum) }},
	{"message_bytes_paged_out", func(q *queueRow) any { return q.only(q.PersistentBytes, classic) }},
	{"message_bytes_dlx", func(q *queueRow) any { return q.only(0, quorum) }},
	{"message_stats", func(q *queueRow) any { return q.before().stats(q.look.ages.messages, deliverStats, publishStats[:1]) }},
	{"consumers", func(q *queueRow) any { return q.Consumers }},
	{"consumer_capacity", func(q *queueRow) any { return q.only(q.utilisation(), classic, quorum) }},
	{"consumer_utilisation", func(q *queueRow) any { return q.only(q.utilisation(), classic, quorum) }},
	{"exclusive_consumer_tag", func(q *queueRow) any { return q.only(q.exclusiveTag(), classic) }},
	{"single_active_consumer_tag", func(q *queueRow) any { return q.only(q.activeTag(), classic) }},
	{"single_active_consumer_ctag", func(q *queueRow) any { return q.only(q.activeTag(), quorum) }},
	{"operator_policy", func(q *queueRow) any { return orNull(q.Operator) }},
	{"effective_policy_definition", func(q *queueRow) any { return q.Effective }},
	{"idle_since", func(q *queueRow) any { return q.idleSince() }},
	{"memory", func(q *queueRow) any { return queueMemory(q.QueueView) }},
	{"backing_queue_status", func(q *queueRow) any { return q.only(q.backing(), classic) }},
	{"head_message_timestamp", func(q *queueRow) any { return q.only(nil, classic) }},
	{"recoverable_slaves", func(q *queueRow) any { return q.only(nil, classic) }},
	{"open_files", func(q *queueRow) any { return q.only(object{{q.node(), 0}}, quorum) }},
	{"readers", func(q *queueRow) any { return q.only(object{{q.node(), q.Consumers}}, stream) }},
	{"garbage_collection", func(q *queueRow) any { return q.only(noGarbage, classic, quorum) }},
	{"reductions", func(*queueRow) any { return 0 }},
	{"reductions_details", func(q *queueRow) any { return q.before().details(q.look.ages.messages) }},
})

// queueDetails are what a single queue shows beside.
var queueDetails = joined(queueColumns, []column[*queueRow]{ // read-only
	{"consumer_details", func(q *queueRow) any { return q.consumerDetails() }},
	{"deliveries", func(q *queueRow) any { return q.deliveries() }},
	{"incoming", func(*queueRow) any { return list{} }},
	{"owner_pid_details", func(q *queueRow) any { return q.owner() }},
})

// joined puts columns one behind the other.
func joined[T any](lists ...[]column[T]) (all []column[T]) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// noGarbage is what an Erlang process says of its memory.
var noGarbage = object{ // read-only
	{"fullsweep_after", 0}, {"max_heap_size", 0}, {"min_bin_vheap_size", 0}, {"min_heap_size", 0}, {"minor_gcs", 0},
}

func orNull(name string) any {
	if name == "" {
		return nil
	}
	return name
}

// utilisation is the share of the last minute in which consumers left nothing
// waiting.
func (q *queueRow) utilisation() any {
	if q.Consumers == 0 {
		return 0
	}
	return q.look.c.srv.samples.emptyShare(series{aQueue, q.ID, ""}, q.Ready)
}

// owner is the connection that an exclusive queue belongs to.
func (q *queueRow) owner() any {
	if q.Owner == "" {
		return absent{}
	}
	peer, _, _ := strings.Cut(q.Owner, " -> ")
	host, port, err := net.SplitHostPort(peer)
	n, err2 := strconv.Atoi(port)
	if err != nil || err2 != nil {
		return absent{}
	}
	return object{{"name", q.Owner}, {"peer_host", host}, {"peer_port", n}}
}

func (q *queueRow) exclusiveTag() any {
	for _, k := range q.consumers() {
		if k.Exclusive {
			return k.Tag
		}
	}
	return nil
}

// activeTag is the consumer that a single-active-consumer queue serves.
func (q *queueRow) activeTag() any {
	if v, ok := q.Arguments.Get("x-single-active-consumer"); !ok || v != true {
		return nil
	}
	for _, k := range q.consumers() {
		if k.Active {
			return k.Tag
		}
	}
	return nil
}

// idleSince is absent while something changes.
func (q *queueRow) idleSince() any {
	at := q.look.c.srv.samples.changed(series{aQueue, q.ID, ""}, queueVector(&q.Stats))
	if at.IsZero() || time.Since(at) < sampleEvery {
		return absent{}
	}
	return moment(at)
}

// queueMemory estimates what the queue takes: itself, its index, and the bodies that
// are in memory.
func queueMemory(q *broker.QueueView) int64 {
	const itself, perMessage = 2048, 18
	return itself + perMessage*int64(q.Ready+q.Unacked) + q.ArenaBytes
}

// backing is RabbitMQ's look into a classic queue, of which tools read length
// and rates.
func (q *queueRow) backing() object {
	p := q.before()
	mode := "default"
	if v, _ := q.Arguments.Get("x-queue-mode"); v == "lazy" {
		mode = "lazy"
	}
	return object{
		{"mode", mode}, {"version", 2}, {"len", q.Ready}, {"next_seq_id", q.Published},
		{"avg_ingress_rate", p.rate([]int{ofPublish})}, {"avg_egress_rate", p.rate([]int{ofDeliver, ofDeliverNoAck, ofGet, ofGetNoAck})},
		{"avg_ack_ingress_rate", p.rate([]int{ofDeliver, ofGet})}, {"avg_ack_egress_rate", p.rate([]int{ofAck})},
	}
}

func (q *queueRow) consumerDetails() []object {
	all := []object{}
	for _, k := range q.consumers() {
		all = append(all, asObject(consumerColumns, &consumerRow{k, q.node()}))
	}
	return all
}

// deliveries are what each channel got from the queue.
func (q *queueRow) deliveries() []object {
	all := []object{}
	q.look.of(place{q.VHost, q.Name})
	for _, ch := range q.look.channels {
		if _, ok := ch.Deliveries[q.Name]; ok && ch.Connection.VHost == q.VHost {
			all = append(all, object{{"channel_details", channelDetails(ch, q.node())}, {"stats", q.look.delivered(ch, q.Name)}})
		}
	}
	return all
}

// delivered shows what a channel got from a queue.
func (l *look) delivered(ch *broker.ChannelView, queue string) object {
	d := ch.Deliveries[queue]
	p := l.c.srv.samples.past(deliverySeries(ch, queue), deliveryVector(&d), l.ages)
	return p.stats(l.ages.messages, deliverStats)
}

// asObject makes an object of a row.
func asObject[T any](columns []column[T], r T) object {
	o := make(object, 0, len(columns))
	for i := range columns {
		if v := columns[i].value(r); !isAbsent(v) {
			o = append(o, field{columns[i].name, v})
		}
	}
	return o
}
