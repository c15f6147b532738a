package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Result is the outcome of one invocation, printed as text or JSON.
type Result struct {
	// Mode is flow, declares, connections, channels, relay or fsync.
	Mode   string  `json:"mode"`
	Phases []Phase `json:"phases"`
	// Verification covers all phases; nil when nothing was verified.
	Verification *Verification `json:"verification,omitempty"`
}

// Phase is one measured stretch of time.
type Phase struct {
	// Name is run, fill, drain, or what a mode measures.
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	// Messages is what rates and CPU are per: deliveries where there are
	// consumers, else confirmed publishes, else publishes; in the other modes the
	// number of operations.
	Messages uint64  `json:"messages"`
	Rate     float64 `json:"per_second"`
	// Flow is nil for what is not a flow of messages.
	Flow *Flow `json:"flow,omitempty"`
	// Latency is that of one operation, where it is not a flow.
	Latency *Latency `json:"latency,omitempty"`
	// Broker is the process named by --broker-pid, or the relay or probe itself.
	Broker *Process `json:"broker,omitempty"`
	// GeneratorMicros is this tool's own CPU per message.
	GeneratorMicros float64 `json:"generator_us_per_message"`
}

// Flow counts messages of a phase.
type Flow struct {
	Published     uint64  `json:"published"`
	PublishedRate float64 `json:"published_per_second"`
	Confirmed     uint64  `json:"confirmed"`
	// ConfirmFrames are the acks and nacks that the broker took to do so.
	ConfirmFrames uint64   `json:"confirm_frames"`
	Nacked        uint64   `json:"nacked"`
	Returned      uint64   `json:"returned"`
	Delivered     uint64   `json:"delivered"`
	DeliveredRate float64  `json:"delivered_per_second"`
	BytesRate     float64  `json:"bytes_per_second"`
	Confirm       *Latency `json:"confirm_latency,omitempty"`
	EndToEnd      *Latency `json:"end_to_end_latency,omitempty"`
}

// Process is what a process used.
type Process struct {
	CPUMicros float64 `json:"cpu_us_per_message"`
	// SystemMicros is the kernel's part of it.
	SystemMicros float64 `json:"system_us_per_message"`
	// CPUCores is the average number of cores in use.
	CPUCores float64 `json:"cpu_cores"`
	// At the end of the phase, in octets; Before at its beginning.
	RSS int64 `json:"rss_bytes"`
	// PeakRSS is the highest since the process began.
	PeakRSS    int64 `json:"peak_rss_bytes"`
	Anon       int64 `json:"anonymous_bytes"`
	AnonBefore int64 `json:"anonymous_bytes_before"`
	Files      int   `json:"open_files"`
}

// flowPhase is what happened between two samples. Acks of the last deliveries
// may be missing in the CPU.
func flowPhase(name string, from, to *sample, size int) Phase {
	f := &Flow{
		Published:     to.published - from.published,
		Confirmed:     to.confirmed - from.confirmed,
		ConfirmFrames: to.frames - from.frames,
		Nacked:        to.nacked - from.nacked,
		Returned:      to.returned - from.returned,
		Delivered:     to.delivered - from.delivered,
	}
	n := f.Delivered
	if n == 0 {
		n = f.Confirmed
	}
	if n == 0 {
		n = f.Published
	}
	p := phase(name, from, to, n)
	p.Flow = f
	f.PublishedRate = float64(f.Published) / p.Seconds
	f.DeliveredRate = float64(f.Delivered) / p.Seconds
	f.BytesRate = p.Rate * float64(size)
	confirm, end := to.confirmLatency, to.endToEnd
	confirm.subtract(&from.confirmLatency)
	end.subtract(&from.endToEnd)
	f.Confirm, f.EndToEnd = confirm.latency(), end.latency()
	return p
}

// phase is n operations between two samples.
func phase(name string, from, to *sample, n uint64) Phase {
	d := max(to.at.Sub(from.at), time.Nanosecond)
	p := Phase{Name: name, Seconds: d.Seconds(), Messages: n, Rate: float64(n) / d.Seconds()}
	per := 1 / float64(max(n, 1))
	p.GeneratorMicros = micros(to.own-from.own) * per
	if to.broker.rss > 0 {
		cpu := to.broker.cpu - from.broker.cpu
		p.Broker = &Process{
			CPUMicros:    micros(cpu) * per,
			SystemMicros: micros(to.broker.system-from.broker.system) * per,
			CPUCores:     cpu.Seconds() / d.Seconds(),
			RSS:          to.broker.rss,
			PeakRSS:      to.broker.peak,
			Anon:         to.broker.anon,
			AnonBefore:   from.broker.anon,
			Files:        to.broker.files,
		}
	}
	return p
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// fault is the verdict: an error that names every kind of fault.
func (r *Result) fault() error {
	v := r.Verification
	if v == nil || v.Missing+v.Duplicates+v.Disordered == 0 {
		return nil
	}
	return fmt.Errorf("verification failed: %d missing, %d duplicates, %d out of order", v.Missing, v.Duplicates, v.Disordered)
}

func (r *Result) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	t := &text{w: w}
	for _, p := range r.Phases {
		t.phase(&p)
	}
	if v := r.Verification; v != nil {
		t.line("verified", "%d messages: %d missing, %d duplicates, %d out of order, %d redelivered, %d foreign",
			v.Checked, v.Missing, v.Duplicates, v.Disordered, v.Redelivered, v.Foreign)
	}
	return t.err
}

// text prints lines and keeps the first error.
type text struct {
	w   io.Writer
	err error
}

func (t *text) line(label, format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, "  %-12s %s\n", label, fmt.Sprintf(format, args...))
	}
}

func (t *text) phase(p *Phase) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, "%s: %d in %.2f s, %s\n", p.Name, p.Messages, p.Seconds, perSecond(p.Rate))
	}
	if f := p.Flow; f != nil {
		t.flow(f)
	}
	t.latency("latency", p.Latency)
	if b := p.Broker; b != nil {
		t.line("CPU", "%.3f µs per message (kernel %.3f), %.2f cores", b.CPUMicros, b.SystemMicros, b.CPUCores)
		if b.RSS > 0 {
			t.line("memory", "RSS %.1f MB (peak %.1f), anonymous %.1f MB (%.1f before), %d open files",
				float64(b.RSS)/1e6, float64(b.PeakRSS)/1e6, float64(b.Anon)/1e6, float64(b.AnonBefore)/1e6, b.Files)
		}
	}
	t.line("generator", "%.3f µs CPU per message", p.GeneratorMicros)
}

func (t *text) flow(f *Flow) {
	if f.Published > 0 {
		t.line("published", "%d, %s", f.Published, perSecond(f.PublishedRate))
	}
	if f.Confirmed > 0 {
		t.line("confirmed", "%d with %d frames; %d nacked, %d returned", f.Confirmed, f.ConfirmFrames, f.Nacked, f.Returned)
	}
	if f.Delivered > 0 {
		t.line("received", "%d, %s", f.Delivered, perSecond(f.DeliveredRate))
	}
	t.line("bodies", "%.1f MB/s", f.BytesRate/1e6)
	t.latency("confirm", f.Confirm)
	t.latency("end to end", f.EndToEnd)
}

func (t *text) latency(label string, l *Latency) {
	if l != nil {
		t.line(label, "p50 %.3f  p75 %.3f  p95 %.3f  p99 %.3f  max %.3f ms", l.P50, l.P75, l.P95, l.P99, l.Max)
	}
}
