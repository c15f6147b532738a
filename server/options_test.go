package server_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/server"
)

// start starts a node that is shut down when the test ends.
func start(t *testing.T, o server.Options) *server.Server {
	t.Helper()
	o.Protocol.SilentClose = time.Millisecond // no need to slow guessing down
	s, err := server.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil { // the test's own context is done
			t.Error(err)
		}
	})
	return s
}

// login connects and closes again.
func login(url string) error {
	c, err := client.Dial(url)
	if err == nil {
		err = c.Close()
	}
	return err
}

func code(err error) int {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestFirstBoot(t *testing.T) {
	dir := t.TempDir()
	s := start(t, server.Options{DataDir: dir, FirstBoot: broker.FirstBoot{VHost: "apps", Users: []broker.FirstUser{
		{Name: "alice", Password: "s3cret", Tags: []string{"administrator"}, Configure: ".*", Write: ".*", Read: ".*"},
		{Name: "bob", Password: "b", Read: ".*"},
	}}})
	for _, c := range []struct {
		url  string
		code int
	}{
		{"amqp://alice:s3cret@" + s.Addr() + "/apps", 0},
		{"amqp://bob:b@" + s.Addr() + "/apps", 0},
		{"amqp://alice:s3cret@" + s.Addr() + "/", client.NotAllowed}, // there is no /
		{"amqp://guest:guest@" + s.Addr() + "/apps", client.AccessRefused},
	} {
		if err := login(c.url); code(err) != c.code {
			t.Errorf("%s: %v, want code %d", c.url, err, c.code)
		}
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The second boot of the same directory changes nothing.
	s = start(t, server.Options{DataDir: dir})
	if err := login("amqp://alice:s3cret@" + s.Addr() + "/apps"); err != nil {
		t.Error(err)
	}
	if err := login(s.URL()); code(err) != client.AccessRefused {
		t.Errorf("guest: %v, want 403", err)
	}
}

// TestFirstQueueType: queues of the first virtual host are of the type asked for.
func TestFirstQueueType(t *testing.T) {
	if _, err := server.Start(t.Context(), server.Options{FirstBoot: broker.FirstBoot{QueueType: "none"}}); err == nil {
		t.Error("started with a queue type that there is not")
	}
	c, err := client.Dial(start(t, server.Options{FirstBoot: broker.FirstBoot{QueueType: "classic"}}).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, client.Table{"x-queue-type": "classic"}); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Errorf("without a type the queue is another: %v", err)
	}
}

func TestSeveralListeners(t *testing.T) {
	s := start(t, server.Options{Listeners: []server.Listener{{Addr: "127.0.0.1:0"}, {Addr: "[::1]:0"}}})
	if addrs := s.Addrs(); len(addrs) != 2 || s.Addr() != addrs[0] {
		t.Fatalf("addresses %q, the first is %s", addrs, s.Addr())
	}
	for _, addr := range s.Addrs() {
		if err := login("amqp://guest:guest@" + addr + "/"); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// TestTakenPort: a listener that cannot be had fails the start, and leaves none
// of the others behind.
func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first, err := net.Listen("tcp", "127.0.0.1:0") // for a port that is free in a moment
	if err != nil {
		t.Fatal(err)
	}
	free := first.Addr().String()
	first.Close()
	if _, err := server.Start(t.Context(), server.Options{Listeners: []server.Listener{{Addr: free}, {Addr: taken.Addr().String()}}}); err == nil {
		t.Fatal("started on a port that is taken")
	}
	again, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatalf("the first listener was left open: %v", err)
	}
	again.Close()
}

func TestNamesThatClientsAreTold(t *testing.T) {
	s := start(t, server.Options{Version: "4.0.1", ClusterName: "the \"cluster\""})
	c, err := client.Dial(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.Properties["version"]; got != "4.0.1" {
		t.Errorf("version %v", got)
	}
	if got := c.Properties["cluster_name"]; got != "the \"cluster\"" {
		t.Errorf("cluster name %v", got)
	}
}

// TestProxy: users of the loopback interface are told by the client's address,
// not the balancer's.
func TestProxy(t *testing.T) {
	s := start(t, server.Options{Sockets: server.Sockets{Proxy: true}})
	for from, want := range map[string]int{"127.0.0.1": 0, "10.0.0.1": client.AccessRefused} {
		c, err := client.DialConfig(s.URL(), client.Config{Dial: func(network, addr string) (net.Conn, error) {
			c, err := net.Dial(network, addr)
			if err == nil {
				_, err = c.Write([]byte("PROXY TCP4 " + from + " 10.0.0.9 1 5672\r\n"))
			}
			return c, err
		}})
		if err == nil {
			err = c.Close()
		}
		if code(err) != want || want == 0 && err != nil {
			t.Errorf("guest from %s: %v, want code %d", from, err, want)
		}
	}
}
