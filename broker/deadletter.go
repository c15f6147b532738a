package broker

import (
	"slices"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// drainAtOnce is how many messages of a queue are dead-lettered by one batch.
const drainAtOnce = 128

// drainSteps is how many batches of a queue are done before others have a turn.
const drainSteps = 64

// drain does what q left for outside of its mutex.
func (b *Broker) drain(q *queue.Queue) {
	d := drainage{b: b, q: q, x: b.shelfOf(q), batch: queue.NewBatch()}
	for range drainSteps {
		if !d.step() {
			return
		}
	}
	b.host.Outside(q)
}

// drainage is one turn of a queue.
type drainage struct {
	b     *Broker
	q     *queue.Queue
	x     *exchangeRef // whose shelf q is, if it is one
	batch *queue.Batch
	found finder
}

// step does a batch, false when there is nothing to do.
func (d *drainage) step() bool {
	if d.x != nil && d.x.special.delayed != nil {
		d.x.special.delayed.reject(d.batch)
		d.commit()
	}
	work := d.q.TakeOutside(drainAtOnce)
	for i := range work {
		d.do(&work[i])
		if d.found.marked() { // others may wait for this commit
			d.commit()
		}
	}
	d.commit()
	return len(work) > 0
}

func (d *drainage) do(w *queue.Outside) {
	switch w.Kind {
	case queue.Dead:
		if d.x != nil && d.x.special.delayed != nil {
			d.b.release(&d.found, d.batch, d.x, w)
		} else {
			d.b.deadLetter(&d.found, d.batch, d.q, w)
		}
	case queue.Unused, queue.Expired:
		d.b.discardUnused(d.q)
	case queue.Corrupt:
		o := d.q.Options()
		d.b.opt.Logger.Error("message cannot be read and is withheld", "vhost", o.VHost, "queue", o.Name, "seq", w.Seq, "err", w.Err)
		if d.x != nil {
			d.x.special.stirred()
		}
	}
}

func (d *drainage) commit() {
	if !d.batch.Empty() {
		d.found.committed(d.batch.Commit(d.b.log()))
		d.b.drops.Add(uint64(len(d.batch.Refused()))) // by a full queue
	}
}

func (b *Broker) log() queue.Log {
	if b.opt.Log == nil {
		return nil
	}
	return b.opt.Log
}

// discard deletes a queue that no client waits for.
func (b *Broker) discard(q *queueRef, ifUnused bool) {
	if _, pos, cs, err := b.deleteQueue(q, internalUser, ifUnused, false); err == nil {
		b.commits.save(pos, cs, func(error) {})
	}
}

func (b *Broker) discardUnused(q *queue.Queue) {
	o := q.Options()
	b.mu.RLock()
	var ref *queueRef
	if v := b.vhosts[o.VHost]; v != nil {
		ref = v.queues[o.Name]
	}
	b.mu.RUnlock()
	if ref != nil && ref.Queue == q {
		b.discard(ref, true)
	}
}

// deadLetter adds the settle of a leaving message and the publish of its dead
// letter, one batch for both. Without a place to go it is the settle alone.
func (b *Broker) deadLetter(f *finder, batch *queue.Batch, q *queue.Queue, w *queue.Outside) {
	o, set := q.Options(), q.Settings()
	if set.DeadLetterExchange == nil {
		batch.Dead(q, w.Seq)
		return
	}
	d := death{queue: o.Name, reason: w.Reason, at: wire.Timestamp(b.opt.Clock.Now().Unix()), to: *set.DeadLetterExchange, key: set.DeadLetterRoutingKey}
	props, err := wire.ParseProperties(w.Content.Props)
	if err != nil {
		b.drops.Add(1)
		batch.Dead(q, w.Seq)
		return
	}
	mode, priority := props.DeliveryMode, props.Priority
	d.keys = d.apply(&props, w.Content.Route)
	c := queue.Content{Route: wire.AppendRoute(nil, d.to, d.keys[0]), Props: props.Append(nil), Body: w.Content.Body, Shared: w.Content.Shared}
	m := queue.Message{Content: c, Persistent: mode == 2, Priority: priority, TTL: -1, Again: true}
	if !f.send(batch, m, b.deadTargets(f, o.VHost, &d, &props, &m)) {
		b.drops.Add(1)
	}
	batch.Dead(q, w.Seq)
}

// deadTargets routes a dead letter by each of its keys and leaves out the
// queues that it has come from without ever being rejected: such a cycle would
// never end (RabbitMQ).
func (b *Broker) deadTargets(f *finder, vhost string, d *death, props *wire.Properties, m *queue.Message) []*queue.Queue {
	b.mu.RLock()
	defer b.mu.RUnlock()
	v := b.vhosts[vhost]
	if v == nil || v.exchanges[d.to] == nil {
		return nil
	}
	x := v.exchanges[d.to]
	f.reset(b)
	var headers []byte
	if len(props.Headers) > 0 {
		headers = wire.AppendTable(nil, props.Headers)[4:]
	}
	f.route(x, routed{exchange.Message{Key: []byte(d.keys[0]), Headers: headers, Props: m.Props}, d.keys[1:], false}, m)
	if d.reason == "rejected" {
		return f.queues
	}
	return slices.DeleteFunc(f.queues, func(q *queue.Queue) bool { return automaticCycle(props, q.Options().Name) })
}

// automaticCycle: the message has been in the queue, and no death since was a
// rejection.
func automaticCycle(props *wire.Properties, queue string) bool {
	deaths, _ := props.Headers.Get("x-death")
	list, _ := deaths.(wire.Array)
	for _, v := range list {
		t, _ := v.(wire.Table)
		if reason, _ := t.Get("reason"); reason == "rejected" {
			return false
		}
		if name, _ := t.Get("queue"); name == queue {
			return true
		}
	}
	return false
}

// death is one dead-lettering.
type death struct {
	queue, reason, to string
	at                wire.Timestamp
	key               *string  // x-dead-letter-routing-key
	keys              []string // what the dead letter is routed by
}

// apply changes a message's properties into its dead letter's and gives the
// keys that it is routed by.
func (d *death) apply(p *wire.Properties, route []byte) (keys []string) {
	from, key := wire.SplitRoute(route)
	keys = []string{string(key)}
	if cc, ok := p.Headers.Get("CC"); ok {
		list, _ := cc.(wire.Array)
		for _, v := range list {
			if k, ok := v.(string); ok {
				keys = append(keys, k)
			}
		}
	}
	d.record(p, string(from), keys)
	if d.key != nil {
		p.Headers = without(p.Headers, "CC")
		keys = []string{*d.key}
	}
	p.Flags = p.Flags&^wire.FlagExpiration | wire.FlagHeaders
	p.Expiration = ""
	return keys
}

// record puts this death at the front of x-death: the newest queue and reason
// come first, and one that is there already counts up (RabbitMQ).
func (d *death) record(p *wire.Properties, from string, keys []string) {
	old, again := p.Headers.Get("x-death")
	list, _ := old.(wire.Array)
	entry := d.entry(p, from, keys)
	rest := make(wire.Array, 0, len(list)+1)
	for _, v := range list {
		t, _ := v.(wire.Table)
		q, _ := t.Get("queue")
		reason, _ := t.Get("reason")
		if q == d.queue && reason == d.reason {
			entry = counted(t)
			continue
		}
		rest = append(rest, v)
	}
	h := append(without(p.Headers, "x-death"), wire.Field{Name: "x-death", Value: append(wire.Array{entry}, rest...)})
	if !again {
		h = append(h, wire.Field{Name: "x-first-death-reason", Value: d.reason},
			wire.Field{Name: "x-first-death-queue", Value: d.queue}, wire.Field{Name: "x-first-death-exchange", Value: from})
	}
	p.Headers = h
}

func (d *death) entry(p *wire.Properties, from string, keys []string) wire.Table {
	routed := make(wire.Array, len(keys))
	for i, k := range keys {
		routed[i] = k
	}
	t := wire.Table{{Name: "count", Value: int64(1)}, {Name: "reason", Value: d.reason}, {Name: "queue", Value: d.queue},
		{Name: "time", Value: d.at}, {Name: "exchange", Value: from}, {Name: "routing-keys", Value: routed}}
	if p.Has(wire.FlagExpiration) {
		t = append(t, wire.Field{Name: "original-expiration", Value: p.Expiration})
	}
	return t
}

// counted is t with its count one higher.
func counted(t wire.Table) wire.Table {
	out := slices.Clone(t)
	for i := range out {
		if n, ok := wire.Int(out[i].Value); ok && out[i].Name == "count" {
			out[i].Value = n + 1
		}
	}
	return out
}
