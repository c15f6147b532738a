package mgmt

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/queue"
)

// Indexes of a vector: what is counted of queues, channels, connections,
// virtual hosts and the node. Not everything has all.
const (
	ofPublish = iota
	ofConfirm
	ofReturn
	ofDrop
	ofRouted
	ofDeliver
	ofDeliverNoAck
	ofGet
	ofGetNoAck
	ofGetEmpty
	ofAck
	ofRedeliver
	ofReady
	ofUnacked
	ofReceived
	ofSent
	vectorLen
)

// Indexes of the vector of churn.
const (
	ofConnectionOpened = iota
	ofConnectionClosed
	ofChannelOpened
	ofChannelClosed
	ofQueueDeclared
	ofQueueCreated
	ofQueueDeleted
	ofMemory
	ofDisk
	ofFiles
	ofSockets
)

// vector is a sample of one thing.
type vector [vectorLen]uint64

func (v *vector) publish(c *broker.PublishCounts) {
	v[ofPublish], v[ofConfirm], v[ofReturn], v[ofDrop], v[ofRouted] = c.Published, c.Confirmed, c.Returned, c.Dropped, c.Routed
}

func (v *vector) deliver(c *broker.DeliverCounts) {
	v[ofDeliver], v[ofDeliverNoAck], v[ofGet], v[ofGetNoAck] = c.Delivered, c.NoAck, c.Got, c.GotNoAck
	v[ofGetEmpty], v[ofAck], v[ofRedeliver] = c.GotNothing, c.Acknowledged, c.Redelivered
}

func (v *vector) queues(c *queue.Counters) {
	d := delivered(c)
	v.deliver(&d)
}

// delivered tells the deliveries of queues apart as those of channels are.
func delivered(c *queue.Counters) broker.DeliverCounts {
	return broker.DeliverCounts{Delivered: c.Delivered - c.NoAck - c.Got - c.GotNoAck, NoAck: c.NoAck, Got: c.Got, GotNoAck: c.GotNoAck,
		GotNothing: c.GotNothing, Redelivered: c.Redelivered, Acknowledged: c.Acknowledged}
}

func queueVector(s *queue.Stats) (v vector) {
	v.queues(&s.Counters)
	v[ofPublish], v[ofReady], v[ofUnacked] = s.Published, uint64(s.Ready), uint64(s.Unacked)
	return v
}

func exchangeVector(c *broker.PublishCounts) (v vector) {
	v.publish(c)
	return v
}

func trafficVector(t *broker.Traffic) (v vector) {
	all := t.Queues()
	v.queues(&all)
	v.publish(&t.Publish)
	v[ofReady], v[ofUnacked] = uint64(t.Ready), uint64(t.Unacked)
	return v
}

func channelVector(ch *broker.ChannelView) (v vector) {
	sum := ch.DeliveriesOfOthers
	for _, d := range ch.Deliveries {
		sum.Add(&d)
	}
	v.deliver(&sum)
	v.publish(&ch.Publish)
	return v
}

func deliveryVector(d *broker.DeliverCounts) (v vector) {
	v.deliver(d)
	return v
}

func connectionVector(c *broker.ConnectionView) (v vector) {
	v[ofReceived], v[ofSent] = c.Wire.Received, c.Wire.Sent
	return v
}

// series names what a track follows: a kind of thing, and which one, by number
// or by name.
type series struct {
	kind kind
	id   uint64
	name string
}

type kind uint8

const (
	aQueue kind = iota
	anExchange
	aConnection
	aChannel
	aDelivery // of a queue to a channel
	aVHost
	theNode
	theChurn
)

// Samples are taken every sampleEvery. Of single things those of keepShort are
// kept, of virtual hosts and the node those of a day, the older ones thinned
// out.
const (
	sampleEvery = 5 * time.Second
	keepShort   = 65 * time.Second
	keepLong    = 24 * time.Hour
	pointsMost  = 512
)

// point is a sample and when it was taken, in milliseconds.
type point struct {
	at int64
	vector
}

// track is the past of one thing: the samples that differed from the one
// before, oldest first. An idle thing has one.
type track struct {
	tick   uint64 // the last that found it
	points []point
}

// note adds a sample.
func (t *track) note(at int64, v *vector, keep time.Duration) {
	n := len(t.points)
	if n > 0 && t.points[n-1].vector == *v {
		return
	}
	t.points = append(t.points, point{at, *v})
	old := 0
	for old+1 < len(t.points) && t.points[old+1].at < at-keep.Milliseconds() {
		old++
	}
	t.points = slices.Delete(t.points, 0, old)
	if len(t.points) > pointsMost {
		t.thin()
	}
}

// thin drops every other sample of the older half.
func (t *track) thin() {
	kept := t.points[:0]
	for i, p := range t.points {
		if i > pointsMost/2 || i%2 == 0 {
			kept = append(kept, p)
		}
	}
	t.points = kept
}

// at gives the sample that held at a time, or the first one.
func (t *track) at(ms int64) vector {
	i, found := slices.BinarySearchFunc(t.points, ms, func(p point, ms int64) int { return int(min(max(p.at-ms, -1), 1)) })
	if !found && i > 0 {
		i--
	}
	return t.points[i].vector
}

// sampler notes what happened, so that rates can be told.
type sampler struct {
	broker  *broker.Broker
	conns   Connections
	machine func() resources

	mu     sync.Mutex // guards what follows
	tracks map[series]*track
	tick   uint64
	ticks  []int64 // the latest, for rates
}

// run takes samples until ctx ends.
func (s *sampler) run(ctx context.Context) {
	every := time.NewTicker(sampleEvery)
	defer every.Stop()
	s.sample(time.Now())
	for {
		select {
		case now := <-every.C:
			s.sample(now)
		case <-ctx.Done():
			return
		}
	}
}

// ticksMost covers rates and then some.
const ticksMost = 16

// sample looks at everything once.
func (s *sampler) sample(now time.Time) {
	at := now.UnixMilli()
	s.mu.Lock()
	s.tick++
	s.ticks = append(s.ticks, at)
	if len(s.ticks) > ticksMost {
		s.ticks = s.ticks[1:]
	}
	s.mu.Unlock()
	short := func(k series, v vector) { s.note(k, at, &v, keepShort) }
	long := func(k series, v vector) { s.note(k, at, &v, keepLong) }
	s.broker.VisitQueues(func(id uint64, q *queue.Stats) { short(series{aQueue, id, ""}, queueVector(q)) })
	s.broker.VisitExchanges(func(id uint64, c broker.PublishCounts) { short(series{anExchange, id, ""}, exchangeVector(&c)) })
	for _, ch := range s.conns.Channels() {
		short(channelSeries(ch), channelVector(ch))
		for name, d := range ch.Deliveries {
			short(deliverySeries(ch, name), deliveryVector(&d))
		}
	}
	octets := map[string]*vector{} // by virtual host
	for _, c := range s.conns.Connections() {
		v := connectionVector(&c)
		short(series{aConnection, 0, c.Name}, v)
		addOctets(octets, c.VHost, &v)
	}
	node, byVHost := s.broker.Traffic()
	for name, t := range byVHost {
		v := trafficVector(&t)
		if o := octets[name]; o != nil {
			v[ofReceived], v[ofSent] = o[ofReceived], o[ofSent]
		}
		long(series{aVHost, 0, name}, v)
	}
	long(series{kind: theNode}, trafficVector(&node))
	long(series{kind: theChurn}, s.churn())
	s.forget()
}

func addOctets(sums map[string]*vector, vhost string, v *vector) {
	if sums[vhost] == nil {
		sums[vhost] = &vector{}
	}
	sums[vhost][ofReceived] += v[ofReceived]
	sums[vhost][ofSent] += v[ofSent]
}

func channelSeries(ch *broker.ChannelView) series {
	return series{aChannel, uint64(ch.Number), ch.Connection.Name}
}

func deliverySeries(ch *broker.ChannelView, queue string) series {
	return series{aDelivery, uint64(ch.Number), ch.Connection.Name + " " + queue}
}

func (s *sampler) churn() (v vector) {
	c, q, m := s.conns.Churn(), s.broker.Churn(), s.machine()
	v[ofConnectionOpened], v[ofConnectionClosed], v[ofChannelOpened], v[ofChannelClosed] = c.Opened, c.Closed, c.ChannelsOpened, c.ChannelsClosed
	v[ofQueueDeclared], v[ofQueueCreated], v[ofQueueDeleted] = q.QueuesDeclared, q.QueuesCreated, q.QueuesDeleted
	v[ofMemory], v[ofDisk], v[ofFiles], v[ofSockets] = m.memory, m.diskFree, uint64(m.files), c.Opened-c.Closed
	return v
}

func (s *sampler) note(k series, at int64, v *vector, keep time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[k]
	if t == nil {
		t = &track{}
		s.tracks[k] = t
		if len(s.ticks) > 1 { // it is new, and began with nothing
			t.points = []point{{at: s.ticks[len(s.ticks)-2]}}
		}
	}
	t.tick = s.tick
	t.note(at, v, keep)
}

// forget drops the tracks of what is gone.
func (s *sampler) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, t := range s.tracks {
		if t.tick != s.tick {
			delete(s.tracks, k)
		}
	}
}

// reset forgets everything.
func (s *sampler) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tracks)
	s.ticks = nil
}
