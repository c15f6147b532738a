package bench

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestModesAgainstPeer(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*ModeOptions)
		mode   string
		want   uint64
	}{
		{"declares one by one", func(m *ModeOptions) { m.Declares = 30 }, "declares", 30},
		{"declares pipelined", func(m *ModeOptions) { m.Declares, m.Pipeline, m.Parallel = 90, 8, 3 }, "declares", 90},
		{"connections", func(m *ModeOptions) { m.Connections, m.Parallel = 20, 4 }, "connections", 20},
		{"connections held", func(m *ModeOptions) { m.Connections, m.Hold = 10, time.Millisecond }, "connections", 10},
		{"channels", func(m *ModeOptions) { m.Channels = 120 }, "channels", 120},
		{"channels pipelined", func(m *ModeOptions) { m.Channels, m.Pipeline, m.Parallel = 120, 10, 2 }, "channels", 120},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			o := optionsFor(p)
			c.change(&o.Mode)
			r, err := Run(t.Context(), o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Mode != c.mode || r.Phases[0].Messages != c.want || r.Phases[0].Rate <= 0 {
				t.Errorf("%s: %+v", r.Mode, r.Phases[0])
			}
			slices.Sort(p.declared)
			if n := len(slices.Compact(p.declared)); n != o.Mode.Declares {
				t.Errorf("%d distinct queues declared, want %d", n, o.Mode.Declares)
			}
		})
	}
}

func TestModesReportRefusals(t *testing.T) {
	for _, c := range []struct {
		name, refuse, scope string
		change              func(*ModeOptions)
	}{
		{"declares", "queue.declare", "channel", func(m *ModeOptions) { m.Declares = 5 }},
		{"connections", "connection.open", "connection", func(m *ModeOptions) { m.Connections = 5 }},
		{"channels", "channel.open", "connection", func(m *ModeOptions) { m.Channels = 5 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			p.refuse, p.refuseScope = c.refuse, c.scope
			o := optionsFor(p)
			c.change(&o.Mode)
			if _, err := Run(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), "closed the "+c.scope) {
				t.Errorf("error = %v, want the broker's close", err)
			}
		})
	}
}

func TestPipelineNeverExceedsItsDepth(t *testing.T) {
	for _, depth := range []int{1, 2, 3, 10, 1000} {
		under, most := 0, 0
		var asked, answered []int
		ask := func(_ *conn, i int) error {
			asked = append(asked, i)
			under++
			most = max(most, under)
			return nil
		}
		answer := func(_ *conn, i int) error {
			answered = append(answered, i)
			under--
			return nil
		}
		items := share(0, 1, 100)
		if err := pipeline(nil, items, depth, ask, answer); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(asked, items) || !slices.Equal(answered, items) || most != min(depth, 100) {
			t.Errorf("depth %d: at most %d under way, asked %d, answered %d", depth, most, len(asked), len(answered))
		}
	}
}

func TestRelayCarriesEverything(t *testing.T) {
	o := DefaultOptions()
	o.Mode.Relay, o.Mode.RelayBuffer = true, 64<<10
	o.Load.Size, o.Length.Time = 4096, 20*time.Millisecond
	r, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ph := r.Phases[0]; r.Mode != "relay" || ph.Messages == 0 || ph.Broker.CPUMicros <= 0 {
		t.Errorf("relay: %+v, %+v", ph, ph.Broker)
	}
}

func TestFsyncProbe(t *testing.T) {
	o := DefaultOptions()
	o.Mode.FsyncDir, o.Length.Time = t.TempDir(), 20*time.Millisecond
	r, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ph := r.Phases[0]; r.Mode != "fsync" || ph.Messages == 0 || ph.Latency.Count != ph.Messages {
		t.Errorf("fsync: %+v", ph)
	}
	o.Mode.FsyncDir += "/missing"
	if _, err := Run(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), "--fsync-probe") {
		t.Errorf("error = %v, want one that names --fsync-probe", err)
	}
}
