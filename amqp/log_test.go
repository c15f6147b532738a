package amqp

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/leveretmq/leveret/amqp/wire"
)

// lines keeps what is logged: level and text, with the pid's number left out.
type lines struct {
	mu   *sync.Mutex
	text *[]string
}

func newLines() lines { return lines{new(sync.Mutex), new([]string)} }

func (l lines) Enabled(context.Context, slog.Level) bool { return true }
func (l lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l lines) WithGroup(string) slog.Handler            { return l }
func (l lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	*l.text = append(*l.text, r.Level.String()+" "+regexp.MustCompile(`<0\.\d+\.0>`).ReplaceAllString(r.Message, "PID"))
	return nil
}

func (l lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(*l.text, "\n")
}

// TestLog: the lines of RabbitMQ 3.10.8 for the same dialogues.
func TestLog(t *testing.T) {
	named := append(allCapabilities(), wire.Field{Name: "connection_name", Value: "my\napp"})
	cases := []struct {
		name string
		talk func(c *client)
		want string
	}{
		{"a whole life", func(c *client) {
			c.login(named)
			c.send(0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: "/"})
			want[*wire.ConnectionOpenOk](c)
			c.send(0, &wire.ConnectionClose{ReplyCode: 200})
			want[*wire.ConnectionCloseOk](c)
		}, `INFO accepting AMQP connection PID (pipe -> pipe)
INFO connection PID (pipe -> pipe) has a client-provided name: my?app
INFO connection PID (pipe -> pipe - my?app): user 'guest' authenticated and granted access to vhost '/'
INFO closing AMQP connection PID (pipe -> pipe - my?app, vhost: '/', user: 'guest')`},
		{"socket closed", func(c *client) { c.open(0) }, `INFO accepting AMQP connection PID (pipe -> pipe)
INFO connection PID (pipe -> pipe): user 'guest' authenticated and granted access to vhost '/'
WARN closing AMQP connection PID (pipe -> pipe, vhost: '/', user: 'guest'):
client unexpectedly closed TCP connection`},
		{"nothing sent", func(*client) {}, `DEBUG accepting AMQP connection PID (pipe -> pipe)
DEBUG closing AMQP connection PID (pipe -> pipe):
connection_closed_with_no_data_received`},
		{"HTTP", func(c *client) { c.write([]byte("GET / HTTP/1.1")) }, `INFO accepting AMQP connection PID (pipe -> pipe)
ERROR closing AMQP connection PID (pipe -> pipe):
{bad_header,<<"GET / HT">>}`},
		{"gone in the handshake", func(c *client) { c.greet() }, `INFO accepting AMQP connection PID (pipe -> pipe)
WARN closing AMQP connection PID (pipe -> pipe):
client unexpectedly closed TCP connection`},
		{"wrong password", func(c *client) {
			c.greet()
			c.send(0, &wire.ConnectionStartOk{ClientProperties: allCapabilities(), Mechanism: "PLAIN", Response: "\x00gue\nst\x00s3cret"})
			want[*wire.ConnectionClose](c)
		}, `INFO accepting AMQP connection PID (pipe -> pipe)
ERROR Error on AMQP connection PID (pipe -> pipe, state: starting):
PLAIN login refused: user 'gue?st' - invalid credentials
INFO closing AMQP connection PID (pipe -> pipe)`},
		{"malformed PLAIN", func(c *client) {
			c.greet()
			c.send(0, &wire.ConnectionStartOk{ClientProperties: allCapabilities(), Mechanism: "PLAIN", Response: "guest s3cret"})
			c.closed()
		}, `INFO accepting AMQP connection PID (pipe -> pipe)
ERROR closing AMQP connection PID (pipe -> pipe):
SYNTAX_ERROR - PLAIN response is malformed`},
		{"no such vhost", func(c *client) {
			c.login(allCapabilities())
			c.send(0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072}, &wire.ConnectionOpen{VirtualHost: "nov"})
			want[*wire.ConnectionClose](c)
			c.send(0, &wire.ConnectionCloseOk{})
		}, `INFO accepting AMQP connection PID (pipe -> pipe)
ERROR Error on AMQP connection PID (pipe -> pipe, user: 'guest', state: opening):
vhost nov not found
INFO closing AMQP connection PID (pipe -> pipe, vhost: 'none', user: 'guest')`},
		{"channel and connection error", func(c *client) {
			c.open(0).channel(1)
			c.send(1, &wire.QueueDeclare{Queue: "nope", Passive: true})
			want[*wire.ChannelClose](c)
			c.send(1, &wire.ChannelCloseOk{})
			c.send(7, &wire.QueueDeclare{Queue: "q"})
			want[*wire.ConnectionClose](c)
			c.send(0, &wire.ConnectionCloseOk{})
		}, `INFO accepting AMQP connection PID (pipe -> pipe)
INFO connection PID (pipe -> pipe): user 'guest' authenticated and granted access to vhost '/'
ERROR Channel error on connection PID (pipe -> pipe, vhost: '/', user: 'guest'), channel 1:
operation queue.declare caused a channel exception not_found: no queue 'nope' in vhost '/'
ERROR Error on AMQP connection PID (pipe -> pipe, vhost: '/', user: 'guest', state: running), channel 0:
 operation queue.declare caused a connection exception channel_error: "expected 'channel.open'"
INFO closing AMQP connection PID (pipe -> pipe, vhost: '/', user: 'guest')`},
		{"missed heartbeats", func(c *client) {
			c.open(2)
			c.closed()
		}, `INFO accepting AMQP connection PID (pipe -> pipe)
INFO connection PID (pipe -> pipe): user 'guest' authenticated and granted access to vhost '/'
ERROR closing AMQP connection PID (pipe -> pipe):
missed heartbeats from client, timeout: 2s`},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			log := newLines()
			timed(t, Options{Logger: slog.New(log)}, func(t *testing.T, s *Server) {
				c := pipe(t, s)
				k.talk(c)
				c.nc.Close()
				s.group.Wait()
			})
			if got := log.all(); got != k.want {
				t.Errorf("got\n%s\nwant\n%s", got, k.want)
			}
		})
	}
}
