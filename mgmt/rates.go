package mgmt

import (
	"net/url"
	"strconv"
	"time"
)

// past is what the sampler knows of one thing, seen from now.
type past struct {
	now   vector
	at    int64 // milliseconds
	base  vector
	since int64  // when base was taken; 0: never
	track *track // a copy; nil: no history is asked for
	ages  *ages
}

// ages say which history the query asks for, in seconds: RabbitMQ's
// lengths_age and lengths_incr, and their like.
type ages struct{ lengths, messages, data, node window }

type window struct{ age, step int64 }

// samplesMost bounds the samples of one answer.
const samplesMost = 2000

func agesOf(q url.Values) *ages {
	return &ages{windowOf(q, "lengths"), windowOf(q, "msg_rates"), windowOf(q, "data_rates"), windowOf(q, "node_stats")}
}

func windowOf(q url.Values, name string) window {
	age, err := strconv.ParseInt(q.Get(name+"_age"), 10, 64)
	step, err2 := strconv.ParseInt(q.Get(name+"_incr"), 10, 64)
	if err != nil || err2 != nil || age < 1 || step < 1 || age/step > samplesMost {
		return window{}
	}
	return window{age, step}
}

func (a *ages) any() bool { return *a != ages{} }

// past gives what is known of a thing that stands at v now.
func (s *sampler) past(k series, v vector, a *ages) past {
	p := past{now: v, at: time.Now().UnixMilli(), ages: a}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[k]
	if t == nil {
		return p
	}
	if p.since = s.tickBefore(p.at - sampleEvery.Milliseconds()); p.since > 0 {
		p.since = max(p.since, t.points[0].at)
		p.base = t.at(p.since)
	}
	if a.any() {
		p.track = &track{points: append([]point(nil), t.points...)}
	}
	return p
}

// tickBefore gives the last tick up to a time, or the first there is. Called
// with mu.
func (s *sampler) tickBefore(ms int64) (at int64) {
	for i, tick := range s.ticks {
		if i == 0 || tick <= ms {
			at = tick
		}
	}
	return at
}

// rateLeast is the shortest time that a rate is told of.
const rateLeast = 1000 // milliseconds

// rate is the change per second of the sum of some counts.
func (p *past) rate(of []int) float64 {
	d := p.at - p.since
	if p.since == 0 || d < rateLeast {
		return 0
	}
	return float64(int64(p.now.sum(of)-p.base.sum(of))) * 1000 / float64(d)
}

func (v *vector) sum(of []int) (n uint64) {
	for _, i := range of {
		n += v[i]
	}
	return n
}

// details is what stands beside a count: its rate, and its history in a window
// when one is asked for.
func (p *past) details(w window, of ...int) object {
	o := object{{"rate", p.rate(of)}}
	if w.age == 0 {
		return o
	}
	var samples []object
	first := p.at / sampleEvery.Milliseconds() * sampleEvery.Milliseconds()
	var sum, newest, oldest float64
	for age := int64(0); age <= w.age; age += w.step {
		at := first - age*1000
		v := p.then(at, age)
		oldest = float64(v.sum(of))
		if age == 0 {
			newest = oldest
		}
		sum += oldest
		samples = append(samples, object{{"sample", v.sum(of)}, {"timestamp", at}})
	}
	return append(object{{"avg", sum / float64(len(samples))}, {"avg_rate", (newest - oldest) / float64(w.age)}}, append(o, field{"samples", samples})...)
}

// then gives what was known at a time; of a thing that is new, nothing.
func (p *past) then(at, age int64) vector {
	switch {
	case age == 0:
		return p.now
	case p.track == nil:
		return vector{}
	}
	return p.track.at(at)
}

// stat is one count of message_stats.
type stat struct {
	name string
	of   []int
}

var publishStats = []stat{ // read-only
	{"publish", []int{ofPublish}}, {"confirm", []int{ofConfirm}}, {"return_unroutable", []int{ofReturn}}, {"drop_unroutable", []int{ofDrop}},
}

var deliverStats = []stat{ // read-only
	{"ack", []int{ofAck}}, {"deliver", []int{ofDeliver}}, {"deliver_get", []int{ofDeliver, ofDeliverNoAck, ofGet, ofGetNoAck}},
	{"deliver_no_ack", []int{ofDeliverNoAck}}, {"get", []int{ofGet}}, {"get_empty", []int{ofGetEmpty}},
	{"get_no_ack", []int{ofGetNoAck}}, {"redeliver", []int{ofRedeliver}},
}

// lengths are counts of messages in queues.
var lengths = []stat{ // read-only
	{"messages", []int{ofReady, ofUnacked}}, {"messages_ready", []int{ofReady}}, {"messages_unacknowledged", []int{ofUnacked}},
}

// stats gives counts with their details.
func (p *past) stats(w window, lists ...[]stat) object {
	var o object
	for _, list := range lists {
		for _, s := range list {
			o = append(o, field{s.name, p.now.sum(s.of)}, field{s.name + "_details", p.details(w, s.of...)})
		}
	}
	return o
}

// emptyShare is the share of the last minute in which a queue had nothing
// ready, ready being what it has now.
func (s *sampler) emptyShare(k series, ready int) float64 {
	empty, looks := 0, 1
	if ready == 0 {
		empty++
	}
	now := time.Now().UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[k]
	for _, tick := range s.ticks {
		if t == nil || tick < t.points[0].at || tick < now-time.Minute.Milliseconds() {
			continue
		}
		looks++
		if v := t.at(tick); v[ofReady] == 0 {
			empty++
		}
	}
	return float64(empty) / float64(looks)
}

// changed is when something last happened to a thing that stands at v now, zero
// when it is happening.
func (s *sampler) changed(k series, v vector) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[k]
	if t == nil || t.points[len(t.points)-1].vector != v {
		return time.Time{}
	}
	return time.UnixMilli(t.points[len(t.points)-1].at)
}

// still is the details of what has no rate.
var still = object{{"rate", 0.0}} // read-only
