package config

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const advanced = `%% a comment
[
 {rabbit, [
   {tcp_listeners, [5673, {"127.0.0.1", 5674}]},
   {ssl_listeners, []},   % none
   {ssl_options, [{certfile, "/c.pem"}, {verify, verify_peer}, {versions, ['tlsv1.3', 'tlsv1.2']}, {fail_if_no_peer_cert, true}]},
   {default_user, <<"alice">>}, {default_pass, <<"s3\"cret">>},
   {default_user_tags, [monitoring]},
   {default_permissions, [<<"^a">>, <<"^b">>, <<"^c">>]},
   {loopback_users, []},
   {heartbeat, 30},
   {vm_memory_high_watermark, 0.6},
   {disk_free_limit, {mem_relative, 1.5}},
   {log_levels, [{connection, error}]},
   {auth_mechanisms, ['PLAIN']},
   {tcp_listen_options, [{backlog, 128}, {nodelay, false}]},
   {hipe_compile, true}
 ]},
 {rabbitmq_management, [{listener, [{port, 15673}, {ip, "127.0.0.1"}]}, {rates_mode, none}]},
 {kernel, [{inet_dist_listen_min, 1}]}
].
`

func TestErlangTerms(t *testing.T) {
	dir := write(t, map[string]string{"rabbitmq.conf": "heartbeat = 10\nlisteners.tcp.default = 1\nchannel_max = 7", "advanced.config": advanced})
	o, err := Load(Sources{Root: dir, Default: Default(), Environ: []string{"RABBITMQ_DEFAULT_USER=bob", "RABBITMQ_NODE_PORT=9"}})
	if err != nil {
		t.Fatal(err)
	}
	got := []any{o.Listen.TCP, o.Listen.TLS, o.Listen.NoDelay, o.TLS.CertFile, o.TLS.VerifyPeer, o.TLS.RequirePeer, o.TLS.MinVersion, o.FirstBoot, o.Login,
		o.Limits.Heartbeat, o.Limits.ChannelMax, o.Alarms.MemoryRelative, o.Alarms.DiskRelative, o.Log.Categories, o.Management.Web.Port, o.Management.RatesMode}
	want := []any{[]string{"[::]:5673", "127.0.0.1:5674"}, []string{}, false, "/c.pem", true, true, uint16(0x303),
		FirstBoot{User: "bob", Password: `s3"cret`, VHost: "/", Tags: []string{"monitoring"}, Configure: "^a", Write: "^b", Read: "^c"},
		Login{LoopbackUsers: []string{}, Mechanisms: []string{"PLAIN"}},
		30 * time.Second, uint16(7), 0.6, 1.5, map[string]string{"connection": "error"}, 15673, "none"}
	for n := range want {
		if !reflect.DeepEqual(got[n], want[n]) {
			t.Errorf("%d: got %+v, want %+v", n, got[n], want[n])
		}
	}
	if len(o.Warnings) != 3 || !strings.Contains(o.Warnings[0], "application kernel") || !reflect.DeepEqual(o.Files, []string{dir + "/rabbitmq.conf", dir + "/advanced.config"}) {
		t.Errorf("warnings %q, files %q", o.Warnings, o.Files)
	}
}

func TestErlangTermsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"[{rabbit, [{heartbeta, 30}]}].":                       "F: unknown key heartbeta; did you mean heartbeat?",
		"[{rabbit, [{heartbeat, [1, 2]}]}].":                   "F: unknown key heartbeat.1; did you mean heartbeat?\nF: unknown key heartbeat.2; did you mean heartbeat?",
		"[{rabbit, [{heartbeat, {a, b, c}}]}].":                "F: heartbeat: must be a number of seconds",
		"[{rabbit, [{disk_free_limit, {mem_relative, []}}]}].": "F: disk_free_limit.relative: must be a number such as 0.4",
		"[{rabbit, [{tcp_listeners, [{a, [], 1}]}]}].":         "F: listeners.tcp.1: must be a port, or IP:PORT as in 127.0.0.1:5672 and [::1]:5672",
		"[{rabbit, heartbeat}].":                               "F: must be a list of {application, [settings]}",
		"[rabbit].":                                            "F: must be a list of {application, [settings]}",
		"[{rabbit,\n [{heartbeat, 30}]}]":                      "F: line 2: a full stop is missing",
		"[{rabbit, [{heartbeat, 30]}].":                        "F: line 1: neither a comma nor }",
		"[{rabbit,\n\n [{default_user, \"a]}].":                "F: line 3: a quote is not closed",
		"[{rabbit, [{default_user, <<\"a\"]}].":                "F: line 1: a binary does not end with >>",
		"[]. []. ":                                             "F: line 1: more than one term",
		"[{rabbit, [":                                          "F: line 1: the text ends within a term",
		"[,].":                                                 "F: line 1: not a term",
		strings.Repeat("[", 100):                               "F: line 1: nested too deep",
		"heartbeat = 3":                                        "F: line 1: a full stop is missing",
	} {
		file := filepath.Join(write(t, map[string]string{"x.config": text}), "x.config")
		_, err := Load(Sources{File: file, Default: Default()})
		if err == nil || strings.ReplaceAll(err.Error(), file, "F") != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
	for _, text := range []string{"", " \n", "[].", "[] .\n% nothing\n"} {
		file := filepath.Join(write(t, map[string]string{"x.config": text}), "x.config")
		if _, err := Load(Sources{File: file, Default: Default()}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzErlangTerms: no text breaks the reader, or what becomes of its terms.
func FuzzErlangTerms(f *testing.F) {
	for _, seed := range []string{advanced, "[].", `[{rabbit,[{a,{b,"c"}}]}].`, "{{{", `<<"a`, "a.b.", "'a'."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		term, err := parseTerms(text)
		if err != nil {
			return
		}
		c := classic{origin: "f", drop: func(string) {}}
		if all, ok := term.(list); ok {
			c.options("", all)
		}
		o := Default()
		l := loader{options: &o, settings: c.settings}
		l.apply()
		l.finish()
	})
}
