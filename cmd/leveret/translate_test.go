package main

import (
	"crypto/tls"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/cmd/leveret/config"
	"github.com/leveretmq/leveret/server"
)

// options are what the server gets for flags, environment and one file.
func options(t *testing.T, text string, environ []string, arguments ...string) (server.Options, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rabbitmq.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := serverCommand().Flags()
	if err := flags.Parse(append([]string{"--config", file}, arguments...)); err != nil {
		t.Fatal(err)
	}
	o, err := configured(flags, environ)
	return serverOptions(o, slog.New(slog.DiscardHandler)), err
}

func TestServerOptions(t *testing.T) {
	cert := filepath.Join(t.TempDir(), "some.pem") // it is only looked for
	if err := os.WriteFile(cert, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	guest := broker.FirstUser{Name: "guest", Password: "guest", Tags: []string{"administrator"}, Configure: ".*", Write: ".*", Read: ".*"}
	cases := []struct {
		name, text string
		arguments  []string
		got        func(server.Options) any
		want       any
	}{
		{"defaults", "", nil, func(o server.Options) any { return []any{o.DataDir, o.Listeners, o.LoopbackUsers} },
			[]any{"data", []server.Listener{{Addr: "[::]:5672"}}, []string{"guest"}}},
		{"default limits", "", nil, func(o server.Options) any { return o.Protocol }, amqp.Options{ChannelMax: 2047, FrameMax: 131072,
			Heartbeat: time.Minute, MaxMessageSize: 128 << 20, HandshakeTimeout: 10 * time.Second, TLSTimeout: 5 * time.Second}},
		{"no limits", "channel_max = 0\nframe_max = 0\nheartbeat = 0\nhandshake_timeout = infinity", nil, func(o server.Options) any { return o.Protocol },
			amqp.Options{ChannelMax: math.MaxUint16, FrameMax: frameMost, Heartbeat: -1, MaxMessageSize: 128 << 20, HandshakeTimeout: never, TLSTimeout: 5 * time.Second}},
		{"TLS", "listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:3\nssl_options.certfile = CERT\nssl_options.keyfile = CERT\nssl_options.cacertfile = CERT\n" +
			"ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\nssl_options.depth = 2\nssl_options.password = p\nssl_options.versions.1 = tlsv1.3", nil,
			func(o server.Options) any { return []any{o.Listeners, o.TLS} },
			[]any{[]server.Listener{{Addr: "127.0.0.1:3", TLS: true}}, server.TLS{CertFile: cert, KeyFile: cert, CAFile: cert, Password: "p",
				VerifyPeer: true, RequirePeer: true, Depth: 2, MinVersion: tls.VersionTLS13, MaxVersion: tls.VersionTLS13}}},
		{"EXTERNAL", "auth_mechanisms.1 = EXTERNAL\nssl_cert_login_from = subject_alternative_name\nssl_cert_login_san_type = email\nssl_cert_login_san_index = 1", nil,
			func(o server.Options) any { return []any{o.Protocol.Mechanisms, o.Protocol.CertificateName} },
			[]any{[]string{"EXTERNAL"}, amqp.CertificateName{From: "subject_alternative_name", SANType: "email", SANIndex: 1}}},
		{"sockets", "tcp_listen_options.nodelay = false\ntcp_listen_options.keepalive = false\ntcp_listen_options.sndbuf = 1\ntcp_listen_options.recbuf = 2", nil,
			func(o server.Options) any { return o.Sockets }, server.Sockets{Delay: true, NoKeepAlive: true, SendBuffer: 1, ReceiveBuffer: 2}},
		{"flags", "listeners.tcp.1 = 1\ncompatibility = 3.10", []string{"--amqp", "127.0.0.1:2", "--data-dir", "d", "--compatibility", "4.3"},
			func(o server.Options) any { return []any{o.Listeners, o.DataDir, o.Compatibility} },
			[]any{[]server.Listener{{Addr: "127.0.0.1:2"}}, "d", "4.3"}},
		{"data in the file", "data_dir = d", nil, func(o server.Options) any { return o.DataDir }, "d"},
		{"first boot", "", nil, func(o server.Options) any { return o.FirstBoot }, broker.FirstBoot{VHost: "/", Users: []broker.FirstUser{guest}}},
		{"no events", "event_exchange.vhost = v", nil, func(o server.Options) any { return o.Events }, ""},
		{"events", "enabled_plugins = rabbitmq_event_exchange", nil, func(o server.Options) any { return o.Events }, "/"},
		{"events elsewhere", "enabled_plugins = rabbitmq_event_exchange\nevent_exchange.vhost = v", nil, func(o server.Options) any { return o.Events }, "v"},
		{"queue type and cluster", "default_queue_type = rabbit_quorum_queue\ncluster_name = c", nil, func(o server.Options) any { return o.FirstBoot.QueueType + o.ClusterName }, "quorumc"},
		{"more users", "default_users.a.password = x\ndefault_users.a.vhost_pattern = ^other$\ndefault_users.b.password = y\ndefault_users.b.read = q", nil,
			func(o server.Options) any { return o.FirstBoot.Users }, []broker.FirstUser{guest, {Name: "b", Password: "y", Read: "q"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := options(t, strings.ReplaceAll(c.text, "CERT", cert), nil, c.arguments...)
			if got := c.got(o); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestFlagsRefused(t *testing.T) {
	for want, arguments := range map[string][]string{
		"--http: must be HOST:PORT": {"--http", "x"},
		"--amqp must not be empty":  {"--amqp", ""},
		"--log-level: log.level: must be debug, info, notice, warning, error, critical, alert, emergency or none": {"--log-level", "loud"},
		"--compatibility: compatibility: must be 3.10, 3.13 or 4.3":                                               {"--compatibility", "3.9"},
		"--amqp: listeners.tcp.flag: must be a port, or IP:PORT as in 127.0.0.1:5672 and [::1]:5672":              {"--amqp", "x"},
	} {
		if _, err := options(t, "", nil, arguments...); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", arguments, err, want)
		}
	}
	flags := serverCommand().Flags()
	if err := flags.Parse([]string{"--config", "no-such-file"}); err != nil {
		t.Fatal(err)
	}
	if _, err := configured(flags, nil); !os.IsNotExist(unjoin(err)) {
		t.Errorf("a configuration file that is not there: %v", err)
	}
}

// unjoin is the first of joined errors.
func unjoin(err error) error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()[0]
	}
	return err
}

func TestWatermarks(t *testing.T) {
	for _, c := range []struct {
		alarms config.Alarms
		want   server.Watermarks
	}{
		{config.Alarms{MemoryRelative: 0.5, DiskAbsolute: 7}, server.Watermarks{Memory: 500, DiskFree: 7}},
		{config.Alarms{MemoryRelative: 0.5, MemoryAbsolute: 3, DiskRelative: 2}, server.Watermarks{Memory: 3, DiskFree: 2000}},
		{config.Alarms{MemoryRelative: 0.5, MemoryTotal: 10, DiskAbsolute: math.MaxUint64}, server.Watermarks{Memory: 5, DiskFree: math.MaxInt64}},
	} {
		if got := watermarks(c.alarms, 1000); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.alarms, got, c.want)
		}
	}
}
