package broker

import "sync"

// Alarm is a resource that runs out, by RabbitMQ's name for it.
type Alarm string

// The alarms, in the order in which they are told.
const (
	DiskAlarm   Alarm = "disk"
	MemoryAlarm Alarm = "memory"
)

// alarms are those that hold publishing at present.
type alarms struct {
	mu     sync.Mutex // guards what follows; tell is called with it held
	raised map[Alarm]bool
	tell   func(reason string)
}

// SetAlarm raises or clears an alarm. While one is raised publishing waits;
// consuming and settling go on, so that what caused it can be drained.
func (b *Broker) SetAlarm(a Alarm, raised bool) {
	s := &b.alarms
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.raised[a] == raised {
		return
	}
	s.raised[a] = raised
	if raised {
		b.Event("alarm.set", text("source", string(a)), text("node", b.opt.NodeName))
		b.opt.Logger.Warn("resource alarm set; publishing waits", "alarm", string(a))
	} else {
		b.Event("alarm.cleared", text("source", string(a)), text("node", b.opt.NodeName))
		b.opt.Logger.Info("resource alarm cleared", "alarm", string(a))
	}
	s.tellLocked()
}

// OnAlarm sets who is told when alarms change: the reason in the words of
// RabbitMQ's connection.blocked, "" when publishing may go on. It is called
// once at once, one call after another; it must not wait.
func (b *Broker) OnAlarm(tell func(reason string)) {
	b.alarms.mu.Lock()
	defer b.alarms.mu.Unlock()
	b.alarms.tell = tell
	b.alarms.tellLocked()
}

// Alarms lists what is raised.
func (b *Broker) Alarms() []Alarm {
	b.alarms.mu.Lock()
	defer b.alarms.mu.Unlock()
	return b.alarms.listLocked()
}

func (s *alarms) listLocked() (list []Alarm) {
	for _, a := range []Alarm{DiskAlarm, MemoryAlarm} {
		if s.raised[a] {
			list = append(list, a)
		}
	}
	return list
}

func (s *alarms) tellLocked() {
	if s.tell == nil {
		return
	}
	reason := ""
	for _, a := range s.listLocked() {
		if reason == "" {
			reason = "low on " + string(a)
		} else {
			reason += " & " + string(a)
		}
	}
	s.tell(reason)
}
