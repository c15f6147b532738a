package config

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// write puts files into a new directory and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load loads one file's text.
func load(t *testing.T, text string) (Options, error) {
	t.Helper()
	dir := write(t, map[string]string{"rabbitmq.conf": text})
	o, err := Load(Sources{File: filepath.Join(dir, "rabbitmq.conf"), Default: Default()})
	if err != nil {
		err = errorString(strings.ReplaceAll(err.Error(), dir+"/", ""))
	}
	return o, err
}

type errorString string

func (e errorString) Error() string { return string(e) }

func TestValues(t *testing.T) {
	cases := []struct {
		name, text string
		got        func(Options) any
		want       any
	}{
		{"nothing", "", func(o Options) any { return o.Listen.TCP }, []string{"[::]:5672"}},
		{"port", "listeners.tcp.default = 5673", func(o Options) any { return o.Listen.TCP }, []string{"[::]:5673"}},
		{"several", "listeners.tcp.10 = 5675\nlisteners.tcp.9 = 127.0.0.1:5674\nlisteners.tcp.b = ::1:5673", func(o Options) any { return o.Listen.TCP },
			[]string{"127.0.0.1:5674", "[::]:5675", "[::1]:5673"}},
		{"brackets", "listeners.tcp.1 = [::1]:5673", func(o Options) any { return o.Listen.TCP }, []string{"[::1]:5673"}},
		{"heartbeat", "heartbeat = 30", func(o Options) any { return o.Limits.Heartbeat }, 30 * time.Second},
		{"no heartbeat", "heartbeat = 0", func(o Options) any { return o.Limits.Heartbeat }, time.Duration(0)},
		{"milliseconds", "handshake_timeout = 20000", func(o Options) any { return o.Listen.HandshakeTimeout }, 20 * time.Second},
		{"infinity", "handshake_timeout = infinity", func(o Options) any { return o.Listen.HandshakeTimeout }, time.Duration(0)},
		{"the last of two", "heartbeat = 30\nheartbeat = 40", func(o Options) any { return o.Limits.Heartbeat }, 40 * time.Second},
		{"frame size", "frame_max = 64KB", func(o Options) any { return o.Limits.FrameMax }, uint64(65536)},
		{"disk limit", "disk_free_limit.absolute = 1GB", func(o Options) any { return o.Alarms.DiskAbsolute }, uint64(1_000_000_000)},
		{"memory", "vm_memory_high_watermark.absolute = 512MiB", func(o Options) any { return o.Alarms.MemoryAbsolute }, uint64(512 << 20)},
		{"ratio", "vm_memory_high_watermark.relative = 0.6", func(o Options) any { return o.Alarms.MemoryRelative }, 0.6},
		{"loopback users", "", func(o Options) any { return o.Login.LoopbackUsers }, []string{"guest"}},
		{"loopback none", "loopback_users = none", func(o Options) any { return o.Login.LoopbackUsers }, []string{}},
		{"loopback false", "loopback_users.guest = false", func(o Options) any { return o.Login.LoopbackUsers }, []string{}},
		{"loopback others", "loopback_users.bob = true\nloopback_users.eve = false", func(o Options) any { return o.Login.LoopbackUsers }, []string{"bob"}},
		{"tags", "default_user_tags.monitoring = true", func(o Options) any { return o.FirstBoot.Tags }, []string{"monitoring"}},
		{"mechanisms", "auth_mechanisms.2 = PLAIN\nauth_mechanisms.1 = EXTERNAL", func(o Options) any { return o.Login.Mechanisms }, []string{"EXTERNAL", "PLAIN"}},
		{"TLS versions", "ssl_options.versions.1 = tlsv1.3\nssl_options.versions.2 = tlsv1.2", func(o Options) any {
			return [2]uint16{o.TLS.MinVersion, o.TLS.MaxVersion}
		}, [2]uint16{tls.VersionTLS12, tls.VersionTLS13}},
		{"ciphers", "ssl_options.ciphers.1 = ECDHE-RSA-AES256-GCM-SHA384\nssl_options.ciphers.2 = TLS_AES_128_GCM_SHA256\nssl_options.ciphers.3 = ECDHE-ECDSA-CHACHA20-POLY1305",
			func(o Options) any { return o.TLS.Ciphers }, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}},
		{"users", "default_users.eve.password = x\ndefault_users.eve.tags = a, b\ndefault_users.bob.password = y", func(o Options) any { return o.FirstBoot.Users },
			[]User{{Name: "bob", Password: "y", VHostPattern: ".*"}, {Name: "eve", Password: "x", Tags: []string{"a", "b"}, VHostPattern: ".*"}}},
		{"old management listener", "management.listener.port = 15671\nmanagement.listener.ip = 127.0.0.1\nmanagement.listener.ssl = false", func(o Options) any {
			return o.Management.Web.Port
		}, 15671},
		{"web ports", "", func(o Options) any { return webPorts(o) }, [4]int{15672, 0, 15692, 0}},
		{"web with TLS only", "management.ssl.certfile = keys.go\nmanagement.ssl.keyfile = keys.go\nprometheus.ssl.port = 9\nprometheus.ssl.certfile = keys.go\nprometheus.ssl.keyfile = keys.go",
			func(o Options) any { return webPorts(o) }, [4]int{0, 15671, 0, 9}},
		{"web with both", "management.ssl.certfile = keys.go\nmanagement.ssl.keyfile = keys.go\nmanagement.tcp.port = 5\nprometheus.tcp.port = 0",
			func(o Options) any { return webPorts(o) }, [4]int{5, 15671, 0, 0}},
		{"old listener with TLS", "management.listener.port = 15671\nmanagement.listener.ssl = true\nmanagement.listener.ssl_opts.certfile = keys.go\nmanagement.listener.ssl_opts.keyfile = keys.go",
			func(o Options) any { return webPorts(o) }, [4]int{0, 15671, 15692, 0}},
		{"retention", "management.sample_retention_policies.basic.minute = 5\nmanagement.sample_retention_policies.basic.10 = 20", func(o Options) any { return o.Management.Retention },
			map[string]map[int]int{"basic": {60: 5, 10: 20}}},
		{"session", "management.login_session_timeout = 5", func(o Options) any { return o.Management.SessionTimeout }, 5 * time.Minute},
		{"file off", "log.file = false", func(o Options) any { return o.Log.File.On }, false},
		{"file on", "log.file = a.log", func(o Options) any { return o.Log.File.On }, true},
		{"log level", "log.connection.level = error", func(o Options) any { return o.Log.Categories["connection"] }, "error"},
		{"json", "log.console.formatter = json", func(o Options) any { return o.Log.Console.JSON }, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := load(t, c.text)
			if got := c.got(o); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func webPorts(o Options) [4]int {
	return [4]int{o.Management.Web.Port, o.Management.Web.TLSPort, o.Prometheus.Port, o.Prometheus.TLSPort}
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"heartbeta = 1":                             "rabbitmq.conf:1: unknown key heartbeta; did you mean heartbeat?",
		"heartbeat = abc":                           "rabbitmq.conf:1: heartbeat: must be a number of seconds",
		"heartbeat = -1":                            "rabbitmq.conf:1: heartbeat: must be a number of seconds",
		"x = 1\n\ny = 2":                            "rabbitmq.conf:1: unknown key x\nrabbitmq.conf:3: unknown key y",
		"listeners.tcp.default = foo":               "rabbitmq.conf:1: listeners.tcp.default: must be a port, or IP:PORT as in 127.0.0.1:5672 and [::1]:5672",
		"listeners.tcp.default = 65536":             "rabbitmq.conf:1: listeners.tcp.default: must be a port, or IP:PORT as in 127.0.0.1:5672 and [::1]:5672",
		"listeners.tcp.default = a.b:1":             "rabbitmq.conf:1: listeners.tcp.default: must have an IP address before the port",
		"listeners.tcp = none\nlisteners.tcp.1 = 5": "listeners: there is none left to accept AMQP on",
		"default_users.a.vhost_pattern = (":         "rabbitmq.conf:1: default_users.a.vhost_pattern: must be a regular expression: error parsing regexp: missing closing ): `(`",
		"listeners.tcp = some":                      "rabbitmq.conf:1: listeners.tcp: must be none",
		"listeners.tcp.1 = 1\nlisteners.tcp.2= 1":   "listeners: [::]:1 is named twice",
		"log.console.level = loud":                  "rabbitmq.conf:1: log.console.level: must be debug, info, notice, warning, error, critical, alert, emergency or none",
		"disk_free_limit.absolute = 1XB":            "rabbitmq.conf:1: disk_free_limit.absolute: must be a number of octets, with a unit such as kB, MB, GB, KiB, MiB, GiB or not",
		"vm_memory_high_watermark.relative = NaN":   "rabbitmq.conf:1: vm_memory_high_watermark.relative: must be a number such as 0.4",
		"channel_max = 65536":                       "rabbitmq.conf:1: channel_max: must be a whole number from 0 to 65535",
		"ssl_options.verify = maybe":                "rabbitmq.conf:1: ssl_options.verify: must be verify_peer or verify_none",
		"ssl_options.versions.1 = sslv3":            "rabbitmq.conf:1: ssl_options.versions.1: must be tlsv1, tlsv1.1, tlsv1.2 or tlsv1.3",
		"ssl_options.ciphers.1 = RC4-MD5":           "rabbitmq.conf:1: ssl_options.ciphers.1: is a cipher suite that is unknown or not safe",
		"ssl_options.crl_check = true":              "rabbitmq.conf:1: ssl_options.crl_check: is not supported: revocation lists are not read",
		"auth_backends.1 = ldap":                    "rabbitmq.conf:1: auth_backends.1: is not supported: users are those of the broker",
		"auth_mechanisms.1 = ANONYMOUS":             "rabbitmq.conf:1: auth_mechanisms.1: must be PLAIN, AMQPLAIN or EXTERNAL",
		"default_pass = encrypted:xyz":              "rabbitmq.conf:1: default_pass: encrypted values are not supported",
		"listeners.ssl.1 = 5671":                    "ssl_options.certfile is missing: a TLS listener needs it\nssl_options.keyfile is missing: a TLS listener needs it",
		"listeners.ssl.1 = 5671\nssl_options.certfile = keys.go\nssl_options.keyfile = none\nssl_options.fail_if_no_peer_cert = true": "ssl_options.fail_if_no_peer_cert = true needs ssl_options.verify = verify_peer\nssl_options: stat none: no such file or directory",
		"load_definitions = none":                           "load_definitions: stat none: no such file or directory",
		"management.sample_retention_policies.x.minute = 1": "rabbitmq.conf:1: management.sample_retention_policies.x.minute: must end in global, basic or detailed and minute, hour, day or a number of seconds",
	} {
		if _, err := load(t, text); err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

func TestWithoutEffect(t *testing.T) {
	o, err := load(t, "hipe_compile = true\nmqtt.default_user = x\nheartbeat = 7\nhipe_compile = false")
	if err != nil || len(o.Warnings) != 2 {
		t.Fatalf("%v, %q", err, o.Warnings)
	}
	for n, want := range []string{
		"rabbitmq.conf:4: hipe_compile is accepted without effect: it tunes a part of RabbitMQ that does not exist here",
		"rabbitmq.conf:2: mqtt.default_user is accepted without effect: the plugin has no counterpart here",
	} {
		if !strings.HasSuffix(o.Warnings[n], want) {
			t.Errorf("got %q, want %q", o.Warnings[n], want)
		}
	}
}

// TestOrder: each source replaces what the ones before it said.
func TestOrder(t *testing.T) {
	dir := write(t, map[string]string{
		"rabbitmq.conf":     "heartbeat = 11\nchannel_max = 11\nframe_max = 11KB\ndefault_user = file\nlog.level = warning",
		"conf.d/10-a.conf":  "heartbeat = 12\nchannel_max = 12",
		"conf.d/20-b.conf":  "heartbeat = 13",
		"conf.d/.hidden":    "heartbeat = 14",
		"conf.d/30.txt":     "heartbeat = 15",
		"enabled_plugins":   "% comment\n[rabbitmq_management,\n rabbitmq_stream].\n",
		"rabbitmq-env.conf": "# comment\nNODENAME=env@file\nexport DEFAULT_VHOST='file'\n",
		"advanced.config":   "[].\n",
	})
	src := Sources{Root: dir, Default: Default(), Environ: []string{"RABBITMQ_DEFAULT_USER=env", "RABBITMQ_DEFAULT_VHOST=env", "RABBITMQ_LOG=debug,connection.error,+color", "OTHER=1",
		"RABBITMQ_NODE_PORT=5673", "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_PORT=tcp://10.0.0.1:5672"}, Flags: []Setting{{Key: "channel_max", Value: "14", Origin: "flag"}}}
	o, err := Load(src)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{o.Limits.Heartbeat, o.Limits.ChannelMax, o.Limits.FrameMax, o.FirstBoot.User, o.FirstBoot.VHost, o.NodeName, o.Log.Level, o.Log.Categories["connection"], o.Listen.TCP, o.Plugins}
	want := []any{13 * time.Second, uint16(14), uint64(11 << 10), "env", "env", "env@file", "warning", "error", []string{"127.0.0.1:5673"}, []string{"rabbitmq_management", "rabbitmq_stream"}}
	if !reflect.DeepEqual(got, want) || len(o.Warnings) > 0 {
		t.Errorf("got  %v\nwant %v\nwarnings %q", got, want, o.Warnings)
	}
	if want := []string{dir + "/rabbitmq.conf", dir + "/conf.d/10-a.conf", dir + "/conf.d/20-b.conf", dir + "/advanced.config"}; !reflect.DeepEqual(o.Files, want) {
		t.Errorf("read %q, want %q", o.Files, want)
	}
	// As in RabbitMQ, a directory means all its files, and a file's listeners
	// replace the environment's; a flag replaces both.
	src.Environ = append(src.Environ, "RABBITMQ_CONFIG_FILES="+dir+"/conf.d", "RABBITMQ_CONFIG_FILE="+dir+"/other")
	if err := os.WriteFile(dir+"/other.conf", []byte("listeners.tcp.1 = 5674"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o, err = Load(src); err != nil || o.Limits.Heartbeat != 15*time.Second || !reflect.DeepEqual(o.Listen.TCP, []string{"[::]:5674"}) {
		t.Errorf("%v, heartbeat %v, listeners %q", err, o.Limits.Heartbeat, o.Listen.TCP)
	}
	src.Flags = []Setting{{Key: FlagListener, Value: ":5675", Origin: "--amqp"}}
	if o, err = Load(src); err != nil || !reflect.DeepEqual(o.Listen.TCP, []string{":5675"}) {
		t.Errorf("%v, listeners %q", err, o.Listen.TCP)
	}
}

func TestEnvironment(t *testing.T) {
	dir := write(t, map[string]string{"user": "alice\n", "pass": "s3cret\n", "empty": "", "c.pem": "x", "k.pem": "x", "ca.pem": "x", "classic.config": "[{rabbit, [{heartbeat, 5}]}]."})
	cases := []struct {
		name    string
		environ string
		got     func(Options) any
		want    any
		err     string
	}{
		{"files with secrets", "DEFAULT_USER_FILE=@/user DEFAULT_PASS_FILE=@/pass", func(o Options) any { return o.FirstBoot.User + ":" + o.FirstBoot.Password }, "alice:s3cret", ""},
		{"empty secret", "DEFAULT_PASS_FILE=@/empty", nil, nil, "environment variable RABBITMQ_DEFAULT_PASS_FILE: @/empty is empty"},
		{"port", "NODE_PORT=5673", func(o Options) any { return o.Listen.TCP }, []string{"[::]:5673"}, ""},
		{"address", "NODE_IP_ADDRESS=127.0.0.1", func(o Options) any { return o.Listen.TCP }, []string{"127.0.0.1:5672"}, ""},
		{"bad port", "NODE_PORT=amqp", nil, nil, "environment variable RABBITMQ_NODE_PORT: listeners.tcp.environment: must be a port, or IP:PORT as in 127.0.0.1:5672 and [::1]:5672"},
		{"TLS as in the old image", "SSL_CERTFILE=@/c.pem SSL_KEYFILE=@/k.pem SSL_CACERTFILE=@/ca.pem SSL_VERIFY=verify_peer SSL_FAIL_IF_NO_PEER_CERT=true NODE_PORT=5672",
			func(o Options) any {
				return []any{o.Listen.TCP, o.Listen.TLS, o.TLS.VerifyPeer, o.TLS.RequirePeer}
			}, []any{[]string{}, []string{"[::]:5671"}, true, true}, ""},
		{"management TLS", "MANAGEMENT_SSL_CERTFILE=@/c.pem MANAGEMENT_SSL_KEYFILE=@/k.pem", func(o Options) any {
			return []int{o.Management.Web.Port, o.Management.Web.TLSPort}
		}, []int{0, 15671}, ""},
		{"data below the base", "MNESIA_BASE=/data NODENAME=a-b", func(o Options) any { return o.DataDir }, "/data/a-b", ""},
		{"data", "MNESIA_DIR=/x MNESIA_BASE=/data", func(o Options) any { return o.DataDir }, "/x", ""},
		{"node without host", "NODENAME=a", func(o Options) any { return strings.HasPrefix(o.NodeName, "a@") }, true, ""},
		{"console", "LOGS=-", func(o Options) any { return []bool{o.Log.Console.On, o.Log.File.On} }, []bool{true, false}, ""},
		{"log file", "LOGS=x.log LOG_BASE=/l", func(o Options) any { return o.Log.Dir + "/" + o.Log.FileName }, "/l/x.log", ""},
		{"watermark", "VM_MEMORY_HIGH_WATERMARK=0.3", func(o Options) any { return o.Alarms.MemoryRelative }, 0.3, ""},
		{"watermark in octets", "VM_MEMORY_HIGH_WATERMARK=1GiB", func(o Options) any { return o.Alarms.MemoryAbsolute }, uint64(1 << 30), ""},
		{"arguments", `SERVER_ADDITIONAL_ERL_ARGS=-rabbitmq_management|load_definitions|"@/user"`, func(o Options) any { return []string{o.Definitions} }, []string{"@/user"}, ""},
		{"plugins", "ENABLED_PLUGINS=rabbitmq_management,rabbitmq_shovel", func(o Options) any { return o.Plugins }, []string{"rabbitmq_management", "rabbitmq_shovel"}, ""},
		{"Erlang terms", "CONFIG_FILE=@/classic", func(o Options) any { return o.Limits.Heartbeat }, 5 * time.Second, ""},
		{"no such file", "CONFIG_FILE=@/none", func(o Options) any { return o.Warnings }, []string{"environment variable RABBITMQ_CONFIG_FILE: there is no @/none"}, ""},
		{"no effect", "DIST_PORT=25672", func(o Options) any { return o.Warnings }, []string{"environment variable RABBITMQ_DIST_PORT is accepted without effect"}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var environ []string
			for _, entry := range strings.Fields(strings.ReplaceAll(c.environ, "@", dir)) {
				environ = append(environ, "RABBITMQ_"+strings.ReplaceAll(entry, "|", " "))
			}
			o, err := Load(Sources{Environ: environ, Default: Default()})
			if c.err != "" {
				if want := strings.ReplaceAll(c.err, "@", dir); err == nil || err.Error() != want {
					t.Fatalf("got %v, want %s", err, want)
				}
				return
			}
			want := c.want
			if list, ok := want.([]string); ok {
				want = strings.Split(strings.ReplaceAll(strings.Join(list, "|"), "@", dir), "|")
			}
			if err != nil || !reflect.DeepEqual(c.got(o), want) {
				t.Errorf("got %v, %v; want %v", c.got(o), err, want)
			}
		})
	}
}

// TestUnitsOfSize are RabbitMQ's (3.10.8 answers each the same, but for T).
func TestUnitsOfSize(t *testing.T) {
	for text, want := range map[string]uint64{
		"12": 12, "1k": 1024, "1K": 1024, "1kB": 1000, "1KB": 1000, "1kb": 1000, "1kib": 1024, "1KIB": 1024, "1KiB": 1024,
		"1M": 1 << 20, "1m": 1 << 20, "1MB": 1e6, "1mb": 1e6, "1MiB": 1 << 20, "1GB": 1e9, "1GiB": 1 << 30, "1g": 1 << 30, "2TB": 2e12,
	} {
		if got, ok := octets(text); !ok || got != want {
			t.Errorf("%s: %d, %t; want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "k", "10 MB", "1.5GB", " 12", "12b", "-1", "1ib", "1i", "1XB", "1kbb", "99999999999999999999", "9999999999G", "1mk"} {
		if n, ok := octets(text); ok {
			t.Errorf("%q is taken for %d", text, n)
		}
	}
}
