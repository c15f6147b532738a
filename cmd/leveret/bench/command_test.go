package bench

import (
	"bytes"
	"strings"
	"testing"
)

// invoke runs the command with arguments and gives its outputs.
func invoke(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := Command()
	var out, errOut bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(args)
	cmd.SetContext(t.Context())
	err = cmd.Execute()
	return out.String(), errOut.String(), err
}

func TestWrongFlagsAreNamed(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"--nope", "unknown flag: --nope"},
		{"stray", `unknown command "stray"`},
		{"--size x", `invalid argument "x" for "-s, --size"`},
		{"--size -1", "--size -1: must be 0 to"},
		{"--producers 70000", "--producers 70000: must be 0 to 65536"},
		{"--queues 0", "--queues 0: must be 1 to"},
		{"--confirm -1", "--confirm -1"},
		{"--qos 65536", "--qos 65536: must be 0 to 65535"},
		{"--multi-ack 0", "--multi-ack 0: must be 1 to"},
		{"--multi-ack 10 --qos 5", "--multi-ack 10 with --qos 5"},
		{"--auto-ack --multi-ack 2", "--auto-ack leaves nothing"},
		{"--hold-first --qos 1", "--hold-first needs"},
		{"--rate -1", "--rate -1"},
		{"--consumer-latency -1s", "--consumer-latency -1s"},
		{"-x 0 -y 0", "nothing to do"},
		{"--frame-max 100", "--frame-max 100"},
		{"--queue-pattern q", "--queue-pattern"},
		{"--queue-pattern %d-%s", "--queue-pattern"},
		{"--queue-args x", `--queue-args "x"`},
		{"--durable maybe", `--durable "maybe"`},
		{"--type headers", `--type "headers"`},
		{"--bindings 5", "--bindings needs --exchange"},
		{"--exchange e --bindings 0", "--bindings 0: must be 1 to"},
		{"--exchange e --type fanout --routing-keys 70000", "--routing-keys 70000"},
		{"--time -1s", "--time and --warmup"},
		{"--time 1s --warmup 2s", "--warmup 2s: must be shorter than --time 1s"},
		{"--grace 0s", "--grace must be above 0"},
		{"--fill", "--fill needs --messages or --time"},
		{"--fill --messages 1 -x 0", "--fill needs a producer"},
		{"--drain -y 0", "--drain needs a consumer"},
		{"--declares 1 --relay", "--declares and --relay cannot be combined"},
		{"--open-channels -1", "--open-channels -1"},
		{"--pipeline 0", "--pipeline 0"},
		{"--broker-pid 999999999", "--broker-pid 999999999"},
		{"--uri http://x", "the scheme must be amqp"},
	} {
		t.Run(c.args, func(t *testing.T) {
			peer := newPeer(t)
			args := strings.Fields(c.args)
			if !strings.Contains(c.args, "--uri") {
				args = append(args, "--uri", peer.uri())
			}
			_, stderr, err := invoke(t, args...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
			if !strings.Contains(stderr, c.want) {
				t.Errorf("stderr %q does not say %q", stderr, c.want)
			}
		})
	}
}

func TestCommandRuns(t *testing.T) {
	out, _, err := invoke(t, "--uri", newPeer(t).uri(), "--messages", "20", "--confirm", "5", "--qos", "10")
	if err != nil || !strings.Contains(out, "run: 20 in") {
		t.Errorf("output %q, error %v", out, err)
	}
	out, _, err = invoke(t, "--uri", newPeer(t).uri(), "--messages", "20", "--json")
	if err != nil || !strings.Contains(out, `"mode": "flow"`) {
		t.Errorf("output %q, error %v", out, err)
	}
}

func TestCommandFailsWhenVerificationDoes(t *testing.T) {
	p := newPeer(t)
	p.deliver = func(n int, b []byte) [][]byte { return [][]byte{b, b} }
	out, _, err := invoke(t, "--uri", p.uri(), "--messages", "20")
	if err == nil || !strings.Contains(err.Error(), "verification failed: 0 missing, 20 duplicates") || !strings.Contains(out, "20 duplicates") {
		t.Errorf("output %q, error %v", out, err)
	}
}

func TestHelpExplains(t *testing.T) {
	out, _, err := invoke(t, "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--persistent", "--fill --drain", "--broker-pid", "fsync-probe"} {
		if !strings.Contains(out, want) {
			t.Errorf("help lacks %q", want)
		}
	}
}
