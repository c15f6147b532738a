package management

import (
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/server"
	"github.com/leveretmq/leveret/server/servertest"
)

// scrape gives the lines of a path.
func scrape(t *testing.T, s *server.Server, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + s.MetricsAddr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", path, resp.StatusCode, err)
	}
	return string(raw)
}

// measured starts a broker with some traffic.
func measured(t *testing.T) *server.Server {
	t.Helper()
	s := servertest.Start(t, servertest.Options{NodeName: "rabbit@host", Metrics: "127.0.0.1:0"})
	c, err := amqp.Dial(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "o\"dd\\\n"} {
		if _, err := ch.QueueDeclare(name, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			d, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", name, false, false, amqp.Publishing{Body: []byte("four")})
			if err != nil {
				t.Fatal(err)
			}
			<-d.Done()
		}
	}
	if _, ok, err := ch.Get("plain", false); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return s
}

func TestMetrics(t *testing.T) {
	s := measured(t)
	for path, lines := range map[string][]string{
		"/metrics": {
			"rabbitmq_queue_messages_ready 5", "rabbitmq_queue_messages_unacked 1", "rabbitmq_queue_messages 6", "rabbitmq_queues 2",
			"rabbitmq_connections 1", "rabbitmq_channels 1", "rabbitmq_consumers 0", "rabbitmq_connections_opened_total 1",
			`rabbitmq_global_messages_received_total{protocol="amqp091"} 6`, `rabbitmq_global_messages_received_confirm_total{protocol="amqp091"} 6`,
			`rabbitmq_global_messages_confirmed_total{protocol="amqp091"} 6`, `rabbitmq_global_publishers{protocol="amqp091"} 1`,
			`rabbitmq_global_messages_delivered_get_manual_ack_total{protocol="amqp091",queue_type="rabbit_classic_queue"} 1`,
			"rabbitmq_channel_get_ack_total 1", "rabbitmq_channel_messages_published_total 6", "rabbitmq_queue_messages_bytes 24",
			"rabbitmq_alarms_memory_used_watermark 0", `rabbitmq_auth_attempts_succeeded_total{protocol="amqp091"} 1`,
		},
		"/metrics/per-object": {
			`rabbitmq_queue_messages_ready{vhost="/",queue="plain"} 2`, `rabbitmq_queue_messages_ready{vhost="/",queue="o\"dd\\\n"} 3`,
			`rabbitmq_queue_messages_published_total{vhost="/",queue="plain"} 3`,
		},
		"/metrics/detailed?family=queue_coarse_metrics":                   {`rabbitmq_detailed_queue_messages{vhost="/",queue="plain"} 3`},
		"/metrics/detailed?family=exchange_metrics":                       {`rabbitmq_detailed_exchange_messages_published_total{vhost="/",exchange=""} 6`},
		"/metrics/detailed?family=exchange_bindings":                      {`rabbitmq_cluster_exchange_bindings{vhost="/",exchange="",type="direct"} 2`},
		"/metrics/detailed?family=vhost_status":                           {`rabbitmq_cluster_vhost_status{vhost="/"} 1`},
		"/metrics/detailed?family=queue_coarse_metrics&vhost=other":       {"# TYPE rabbitmq_detailed_queue_messages gauge"},
		"/metrics/detailed?family=connection_churn_metrics&family=nosuch": {"rabbitmq_detailed_queues_created_total 2"},
	} {
		text := scrape(t, s, path)
		for _, line := range lines {
			if !strings.Contains(text, "\n"+line+"\n") && !strings.HasPrefix(text, line+"\n") {
				t.Errorf("%s lacks %s", path, line)
			}
		}
	}
	if text := scrape(t, s, "/metrics/detailed?family=queue_coarse_metrics&vhost=other"); strings.Contains(text, "plain") {
		t.Error("a queue of another virtual host")
	}
	if text := scrape(t, s, "/metrics"); !strings.Contains(text, "\ngo_goroutines ") || !strings.Contains(text, "\nprocess_") {
		t.Error("no metrics of Go and the process")
	}
}

// TestMetricNames: what the overview dashboard of RabbitMQ asks for is there,
// with its labels.
func TestMetricNames(t *testing.T) {
	raw, err := testdata.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	text := scrape(t, measured(t), "/metrics")
	for _, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		if line[0] == '#' {
			continue
		}
		name, kind, _ := strings.Cut(line, " ")
		if !strings.Contains(text, "# TYPE "+name+" "+kind+"\n") {
			t.Errorf("no family %s of type %s", name, kind)
		}
	}
}

var sampleLine = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*")*\})? (?:[-+.0-9eE]+|NaN|[+-]Inf)$`)

// TestExposition checks the form of every line, and that no family comes twice.
func TestExposition(t *testing.T) {
	s := measured(t)
	for _, path := range []string{"/metrics", "/metrics/per-object", "/metrics/detailed?family=queue_metrics&family=channel_queue_metrics&family=channel_metrics"} {
		text, seen := scrape(t, s, path), map[string]bool{}
		for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			family, is := strings.CutPrefix(line, "# TYPE ")
			switch {
			case is && seen[family]:
				t.Errorf("%s: %s twice", path, line)
			case is:
				seen[family] = true
			case !strings.HasPrefix(line, "# HELP ") && !sampleLine.MatchString(line):
				t.Errorf("%s: %q", path, line)
			}
		}
		if promtool, err := exec.LookPath("promtool"); err == nil {
			cmd := exec.Command(promtool, "check", "metrics")
			cmd.Stdin = strings.NewReader(text)
			if out, err := cmd.CombinedOutput(); err != nil && strings.Contains(string(out), "error") {
				t.Errorf("%s: %v: %s", path, err, out)
			}
		}
	}
}
