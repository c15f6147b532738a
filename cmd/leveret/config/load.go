package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Sources says what to read.
type Sources struct {
	// File is the configuration file, which has to exist; empty: the one that
	// the environment names, or Root's.
	File string
	// Root is where RabbitMQ's files are looked for that nothing else names:
	// rabbitmq.conf, conf.d, advanced.config, enabled_plugins; empty: nowhere.
	Root string
	// Environ is the environment as os.Environ gives it.
	Environ []string
	// Flags come last; --amqp is a setting of listeners.tcp.
	Flags []Setting
	// Default is changed by everything else.
	Default Options
}

// FlagListener is the key of the flag that names the one plain listener, in the
// place of all that are configured.
const FlagListener = "listeners.tcp.flag"

const defaultLogFile = "leveret.log"

// Default is what holds when nothing is configured, with RabbitMQ's values
// where it has one.
func Default() Options {
	return Options{
		Listen:    Listen{HandshakeTimeout: 10 * time.Second, TLSTimeout: 5 * time.Second, NoDelay: true, KeepAlive: true},
		TLS:       TLS{Depth: 10},
		FirstBoot: FirstBoot{User: "guest", Password: "guest", VHost: "/", Configure: ".*", Write: ".*", Read: ".*"},
		Limits:    Limits{Heartbeat: time.Minute, FrameMax: 131072, ChannelMax: 2047, MaxMessageSize: 128 << 20, ConsumerTimeout: 30 * time.Minute},
		Alarms:    Alarms{MemoryRelative: 0.4, DiskAbsolute: 50_000_000},
		Log:       Log{Categories: map[string]string{}, Console: Output{On: true}, Rotation: Rotation{Size: 10 << 20, Keep: 5}},
		Management: Management{Web: Web{Port: unset, TLSPort: unset, TLS: TLS{Depth: 10}}, Headers: map[string]string{}, RatesMode: "basic",
			SessionTimeout: 8 * time.Hour, MaxBody: 20 << 20, CORSMaxAge: 30 * time.Minute, Retention: map[string]map[int]int{}, Interval: 5 * time.Second},
		Prometheus: Web{Port: unset, TLSPort: unset, Path: "/metrics", TLS: TLS{Depth: 10}},
	}
}

// Load reads all sources. The error joins everything that is wrong, each with
// where it stands; nothing is left for the user to find out one by one.
func Load(src Sources) (Options, error) {
	o := src.Default
	l := loader{options: &o, environ: environment(src.Environ)}
	l.read(src)
	l.apply()
	l.finish()
	return o, errors.Join(l.errs...)
}

// loader collects settings; a later one replaces one of the same key.
type loader struct {
	options  *Options
	environ  map[string]string // by name without RABBITMQ_
	settings []Setting
	errs     []error
}

func (l *loader) fail(err error) {
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

func (l *loader) warn(format string, args ...any) {
	l.options.Warnings = append(l.options.Warnings, fmt.Sprintf(format, args...))
}

// read collects the settings of all sources in their order.
func (l *loader) read(src Sources) {
	l.envFile(src.Root)
	early, late := l.variables()
	l.settings = early
	l.files(src)
	l.plugins(src.Root)
	l.settings = append(l.settings, late...)
	for _, s := range src.Flags {
		if s.Key == FlagListener {
			l.drop("listeners.tcp")
		}
		l.settings = append(l.settings, s)
	}
}

// file reads one file. What it says of listeners takes the place of what the
// environment said, not only key by key.
func (l *loader) file(name string) {
	var settings []Setting
	if strings.HasSuffix(name, ".config") {
		settings = l.erlang(name)
	} else {
		settings = l.conf(name)
	}
	for _, s := range settings {
		if strings.HasPrefix(s.Key, "listeners.") {
			l.drop("listeners.tcp.environment")
		}
		l.settings = append(l.settings, s)
	}
}

// conf reads a file in the form of rabbitmq.conf.
func (l *loader) conf(name string) []Setting {
	text, err := os.ReadFile(name)
	if err != nil {
		l.fail(err)
		return nil
	}
	l.options.Files = append(l.options.Files, name)
	settings, errs := parse(name, string(text))
	l.errs = append(l.errs, errs...)
	return settings
}

// drop forgets the settings of a key and of all below it.
func (l *loader) drop(key string) {
	l.settings = slices.DeleteFunc(l.settings, func(s Setting) bool {
		return s.Key == key || strings.HasPrefix(s.Key, key+".")
	})
}

// apply puts the settings into the options.
func (l *loader) apply() {
	last := map[string]Setting{}
	for _, s := range l.settings {
		last[s.Key] = s
	}
	names := make([]string, 0, len(last))
	for name := range last {
		names = append(names, name)
	}
	slices.SortFunc(names, natural)
	t := newTable(l.options)
	for _, name := range names {
		l.set(t, last[name])
	}
}

func (l *loader) set(t table, s Setting) {
	k, known := t.find(s.Key)
	switch {
	case !known:
		hint := ""
		if near := t.nearest(s.Key); near != "" {
			hint = "; did you mean " + near + "?"
		}
		l.fail(fmt.Errorf("%s: unknown key %s%s", s.Origin, s.Key, hint))
	case strings.HasPrefix(s.Value, "encrypted:"):
		l.fail(s.fail("encrypted values are not supported"))
	case k.set == nil:
		l.warn("%s: %s is accepted without effect: %s", s.Origin, s.Key, k.why)
	default:
		l.fail(k.set(s))
	}
}

// finish fills in what depends on several settings, and checks that they fit
// together.
func (l *loader) finish() {
	o := l.options
	l.finishNode()
	if o.Listen.TCP == nil {
		o.Listen.TCP = []string{"[::]:5672"}
	}
	if o.Login.LoopbackUsers == nil {
		o.Login.LoopbackUsers = []string{"guest"}
	}
	if o.FirstBoot.Tags == nil {
		o.FirstBoot.Tags = []string{"administrator"}
	}
	if o.Log.FileName == "" && o.Log.Dir != "" && o.Log.File.On {
		o.Log.FileName = defaultLogFile
	}
	o.Log.File.On = o.Log.FileName != ""
	if o.Log.Dir == "" {
		o.Log.Dir = filepath.Join(o.DataDir, "log")
	}
	if len(o.Listen.TLS) > 0 {
		l.checkTLS("ssl_options", o.TLS)
	}
	l.finishWeb("management", &o.Management.Web, 15672)
	l.finishWeb("prometheus", &o.Prometheus, 15692)
	if len(o.Listen.TCP)+len(o.Listen.TLS) == 0 {
		l.fail(errors.New("listeners: there is none left to accept AMQP on"))
	}
	l.checkPorts()
}

// finishNode completes the node's name with its host, and looks whether there
// are definitions.
func (l *loader) finishNode() {
	o := l.options
	if o.NodeName != "" && !strings.Contains(o.NodeName, "@") {
		host, err := os.Hostname()
		if err != nil {
			host = "localhost"
		}
		o.NodeName += "@" + host
	}
	if o.Definitions == "" {
		return
	}
	if _, err := os.Stat(o.Definitions); err != nil {
		l.fail(fmt.Errorf("load_definitions: %w", err))
	}
}

// unset is a port that nothing was said of.
const unset = -1

// finishWeb gives an HTTP listener its ports: as in RabbitMQ there is one in
// clear unless only one with TLS was asked for, by its port or certificate.
func (l *loader) finishWeb(prefix string, w *Web, usual int) {
	switch {
	case w.TLSPort == unset && w.TLS.CertFile != "":
		w.TLSPort = usual - 1
	case w.TLSPort == unset:
		w.TLSPort = 0
	}
	if w.Port == unset {
		w.Port = usual
		if w.TLSPort != 0 && w.IP == "" {
			w.Port = 0
		}
	}
	if w.TLSPort != 0 {
		l.checkTLS(prefix+".ssl", w.TLS)
	}
}

// checkTLS: a TLS listener needs a certificate, and to verify clients needs to
// know whose certificates are good.
func (l *loader) checkTLS(prefix string, t TLS) {
	for _, f := range []struct{ key, name string }{{"certfile", t.CertFile}, {"keyfile", t.KeyFile}} {
		if f.name == "" {
			l.fail(fmt.Errorf("%s.%s is missing: a TLS listener needs it", prefix, f.key))
		}
	}
	if t.RequirePeer && !t.VerifyPeer {
		l.fail(fmt.Errorf("%s.fail_if_no_peer_cert = true needs %s.verify = verify_peer", prefix, prefix))
	}
	if t.VerifyPeer && t.CAFile == "" {
		l.fail(fmt.Errorf("%s.cacertfile is missing: %s.verify = verify_peer needs it", prefix, prefix))
	}
	for _, name := range []string{t.CertFile, t.KeyFile, t.CAFile} {
		if _, err := os.Stat(name); name != "" && err != nil {
			l.fail(fmt.Errorf("%s: %w", prefix, err))
		}
	}
}

// checkPorts refuses one address for two listeners; the second could only fail
// after the node has started.
func (l *loader) checkPorts() {
	seen := map[string]bool{}
	for _, addr := range slices.Concat(l.options.Listen.TCP, l.options.Listen.TLS) {
		if _, port, _ := net.SplitHostPort(addr); seen[addr] && port != "0" {
			l.fail(fmt.Errorf("listeners: %s is named twice", addr))
		}
		seen[addr] = true
	}
}
