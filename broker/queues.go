package broker

import (
	"encoding/base64"
	"io"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// QueueInfo is queue.declare-ok.
type QueueInfo struct {
	Name                string
	Messages, Consumers int
}

func (q *queueRef) info() QueueInfo {
	ready, _, consumers := q.Counts()
	return QueueInfo{q.def.Name, ready, consumers}
}

func (b *Broker) raiseQueue(def *meta.Queue, owner *Session) (*queueRef, error) {
	args, err := queue.ParseArguments(def.VHost, def.Name, def.Arguments)
	if err != nil {
		return nil, err
	}
	if err := args.Suits(def.VHost, def.Name, def.Durable, def.Exclusive, def.AutoDelete); err != nil {
		return nil, err
	}
	if limit := &b.level.deliveryLimit; args.Type == "quorum" && args.DeliveryLimit == nil && *limit > 0 {
		args.DeliveryLimit = limit
	}
	o := queue.Options{ID: def.ID, VHost: def.VHost, Name: def.Name, Durable: def.Durable, Exclusive: def.Exclusive,
		AutoDelete: def.AutoDelete, Arguments: args, Clock: b.opt.Clock, Host: b.host, Memory: &b.memory, ConsumerTimeout: max(b.opt.ConsumerTimeout, 0), FreeNacks: b.level.freeNacks}
	if b.opt.Log != nil {
		o.Log = b.opt.Log
	}
	q := &queueRef{Queue: queue.New(o), vhost: b.vhosts[def.VHost], def: def, owner: owner}
	q.govern()
	q.vhost.queues[def.Name] = q
	b.byID[def.ID] = q.Queue
	return q, nil
}

// find gives a queue that this session may use.
func (s *Session) find(name string) (*queueRef, error) {
	q := s.vhost.queues[name]
	if q == nil {
		return nil, wire.Errorf(wire.NotFound, "no queue '%s' in vhost '%s'", name, s.vhost.name)
	}
	return q, s.unlocked(q)
}

// unlocked is the 405 of another connection's exclusive queue.
func (s *Session) unlocked(q *queueRef) error {
	if q.owner == nil || q.owner == s {
		return nil
	}
	return locked(q)
}

func locked(q *queueRef) error {
	return wire.Errorf(wire.ResourceLocked, "cannot obtain exclusive access to locked queue '%s' in vhost '%s'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", q.def.Name, q.def.VHost)
}

// DeclareQueue is queue.declare; an empty name is given one.
func (s *Session) DeclareQueue(m *wire.QueueDeclare, reply func(QueueInfo, error)) {
	if strings.HasPrefix(m.Queue, replyPrefix) {
		reply(s.b.replies.info(m.Queue, s.vhost.name))
		return
	}
	var q *queueRef
	s.change(func(err error) {
		if err != nil {
			reply(QueueInfo{}, err)
			return
		}
		reply(q.info(), nil)
	}, func() (cs []meta.Change, err error) {
		q, cs, err = s.declareQueue(m)
		return cs, err
	})
}

func (s *Session) declareQueue(m *wire.QueueDeclare) (*queueRef, []meta.Change, error) {
	if m.Passive {
		q, err := s.find(m.Queue)
		if err == nil {
			q.Touch()
		}
		return q, nil, err
	}
	name, err := s.queueName(m)
	if err != nil {
		return nil, nil, err
	}
	if err := s.may(Configure, "queue", name); err != nil {
		return nil, nil, err
	}
	s.b.totals.declared.Add(1)
	m = s.typed(name, m)
	if q := s.vhost.queues[name]; q != nil {
		return q, nil, s.redeclare(q, m)
	}
	if strings.HasPrefix(m.Queue, "amq.") {
		return nil, nil, wire.Errorf(wire.AccessRefused, "queue name '%s' contains reserved prefix 'amq.*'", name)
	}
	if err := s.overQueues(name); err != nil {
		return nil, nil, err
	}
	if err := s.mayDeadLetter(name, m.Arguments); err != nil {
		return nil, nil, err
	}
	return s.newQueue(name, m)
}

// typed gives a declare without x-queue-type the virtual host's default type.
// RabbitMQ: one that cannot be of that type stays classic; ours: a queue that
// exists keeps its type whatever the default has become.
func (s *Session) typed(name string, m *wire.QueueDeclare) *wire.QueueDeclare {
	kind := s.b.meta.VHosts[s.vhost.name].DefaultQueueType
	_, given := m.Arguments.Get("x-queue-type")
	if given || kind == "" || kind == "undefined" {
		return m
	}
	if q := s.vhost.queues[name]; q != nil {
		kind = q.Options().Arguments.Type
	} else if kind != "classic" && (!m.Durable || m.Exclusive || m.AutoDelete) {
		return m
	}
	with := *m
	with.Arguments = append(slices.Clone(m.Arguments), wire.Field{Name: "x-queue-type", Value: kind})
	return &with
}

func (s *Session) newQueue(name string, m *wire.QueueDeclare) (*queueRef, []meta.Change, error) {
	id, cs := s.b.meta.NextID()
	def := &meta.Queue{ID: id, VHost: s.vhost.name, Name: name, Durable: m.Durable, Exclusive: m.Exclusive, AutoDelete: m.AutoDelete, Arguments: m.Arguments}
	var owner *Session
	if m.Exclusive {
		owner = s
	}
	q, err := s.b.raiseQueue(def, owner)
	if err != nil {
		return nil, nil, err
	}
	s.b.totals.created.Add(1)
	if owner != nil {
		s.mu.Lock()
		s.owned[q] = true
		s.mu.Unlock()
	}
	return q, append(cs, s.b.meta.PutQueue(def)...), nil
}

// redeclare compares a declare with the queue that exists.
func (s *Session) redeclare(q *queueRef, m *wire.QueueDeclare) error {
	if err := s.unlocked(q); err != nil {
		return err
	}
	durable := m.Durable
	if q.def.Exclusive { // RabbitMQ: durable means nothing there
		durable = q.def.Durable
	}
	if durable == q.def.Durable && m.AutoDelete == q.def.AutoDelete && m.Exclusive != q.def.Exclusive {
		return locked(q)
	}
	if err := q.Inequivalent(durable, m.AutoDelete, m.Arguments); err != nil {
		return err
	}
	q.Touch()
	return nil
}

// mayDeadLetter: naming a dead letter exchange needs read on the queue and
// write on the exchange.
func (s *Session) mayDeadLetter(name string, args wire.Table) error {
	x, ok := args.Get("x-dead-letter-exchange")
	if !ok {
		return nil
	}
	to, ok := x.(string)
	if !ok {
		return nil // ParseArguments words it
	}
	if err := s.may(Read, "queue", name); err != nil {
		return err
	}
	return s.may(Write, "exchange", to)
}

func (s *Session) queueName(m *wire.QueueDeclare) (string, error) {
	if m.Queue != "" {
		return m.Queue, nil
	}
	if kind, _ := m.Arguments.Get("x-queue-type"); kind == "quorum" || kind == "stream" {
		return "", wire.Errorf(wire.PreconditionFailed, "Cannot declare a server-named queue for type rabbit_%s_queue", kind)
	}
	return s.b.generated("amq.gen-")
}

// generated is a name nobody else has: 128 random bits, as RabbitMQ's.
func (b *Broker) generated(prefix string) (string, error) {
	var raw [16]byte
	if _, err := io.ReadFull(b.opt.Rand, raw[:]); err != nil {
		return "", &wire.Error{Code: wire.InternalError, Cause: err, Connection: true}
	}
	return prefix + base64.RawURLEncoding.EncodeToString(raw[:]), nil
}

// PurgeQueue is queue.purge; the number is that of ready messages removed.
func (s *Session) PurgeQueue(m *wire.QueuePurge, reply func(int, error)) {
	q, err := s.Queue(m.Queue, Read)
	if err != nil {
		reply(0, err)
		return
	}
	n, pos := q.Purge()
	s.b.commits.save(pos, nil, func(err error) { reply(n, err) })
}

// DeleteQueue is queue.delete; one that is missing is deleted already.
func (s *Session) DeleteQueue(m *wire.QueueDelete, reply func(int, error)) {
	s.b.mu.RLock()
	q := s.vhost.queues[m.Queue]
	s.b.mu.RUnlock()
	if err := s.may(Configure, "queue", m.Queue); err != nil {
		reply(0, err)
		return
	}
	if q == nil {
		reply(0, nil)
		return
	}
	if err := s.unlocked(q); err != nil {
		reply(0, err)
		return
	}
	if err := conditionless(q, m); err != nil {
		reply(0, err)
		return
	}
	n, pos, cs, err := s.b.deleteQueue(q, s.opt.User.Name(), m.IfUnused, m.IfEmpty)
	if err != nil {
		reply(0, err)
		return
	}
	s.b.commits.save(pos, cs, func(err error) { reply(n, err) })
}

// conditionless: RabbitMQ deletes a quorum queue without conditions only.
func conditionless(q *queueRef, m *wire.QueueDelete) error {
	flag := ""
	switch {
	case q.Options().Arguments.Type != "quorum":
		return nil
	case m.IfUnused:
		flag = "if-unused"
	case m.IfEmpty:
		flag = "if-empty"
	default:
		return nil
	}
	return wire.Errorf(wire.NotImplemented, "cannot delete queue '%s' in vhost '%s'. queue.delete operations with %s flag set are not supported by quorum queues",
		q.def.Name, q.def.VHost, flag)
}

// deleteQueue takes a queue out of the topology. The changes have to be saved
// once the log is durable up to pos: the tombstone goes first.
func (b *Broker) deleteQueue(q *queueRef, by string, ifUnused, ifEmpty bool) (n int, pos uint64, cs []meta.Change, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.acts(by)()
	n, pos, err = q.Delete(ifUnused, ifEmpty)
	if err != nil {
		return 0, 0, nil, err
	}
	v := q.vhost
	if v.queues[q.def.Name] != q {
		return n, pos, nil, nil
	}
	delete(v.queues, q.def.Name)
	delete(b.byID, q.def.ID)
	v.retire(q)
	b.totals.deleted.Add(1)
	gone, cs := b.meta.DeleteQueue(meta.Name{VHost: q.def.VHost, Name: q.def.Name})
	cs = append(cs, b.unroute(gone, exchange.Dest{ID: q.def.ID})...)
	v.gone.Add(1)
	if q.owner != nil {
		q.owner.mu.Lock()
		delete(q.owner.owned, q)
		q.owner.mu.Unlock()
	}
	return n, pos, cs, nil
}

// Queue gives a queue to a client that needs a right on it.
func (s *Session) Queue(name string, r Right) (*queue.Queue, error) {
	if err := s.may(r, "queue", name); err != nil {
		return nil, err
	}
	s.b.mu.RLock()
	defer s.b.mu.RUnlock()
	q, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return q.Queue, nil
}

// Consume attaches a consumer, which the caller starts.
func (s *Session) Consume(name string, o queue.ConsumerOptions) (*queue.Consumer, error) {
	q, err := s.Queue(name, Read)
	if err != nil {
		return nil, err
	}
	c, err := q.Attach(o)
	if err == nil {
		s.consumerCreated(c)
	}
	return c, err
}

// Cancel ends a consumer; its unacknowledged messages stay held. An auto-delete
// queue that has lost its last consumer by it is gone when Cancel returns:
// RabbitMQ answers basic.cancel only then.
func (s *Session) Cancel(c *queue.Consumer) {
	c.Cancel()
	s.consumerDeleted(c)
	s.b.autoDelete(c)
}

// Release gives back all that a consumer or getter holds and ends it, with the
// same promise as Cancel.
func (s *Session) Release(c *queue.Consumer) {
	c.Release()
	s.consumerDeleted(c)
	s.b.autoDelete(c)
}

// autoDelete deletes the queue that c has left, if that was the last consumer.
// A getter is none: it never makes an auto-delete queue used.
func (b *Broker) autoDelete(c *queue.Consumer) {
	if c.Queue().Options().AutoDelete && c.Options().Sink != nil {
		b.discardUnused(c.Queue())
	}
}
