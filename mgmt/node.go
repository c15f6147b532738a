package mgmt

import (
	"net"
	"os"
	"time"

	"github.com/leveretmq/leveret/broker"
)

// Connections is what the API shows of the AMQP server.
type Connections interface {
	// Connections and Channels list what is open, in the order of names.
	Connections() []broker.ConnectionView
	Channels() []*broker.ChannelView
	// CloseConnection closes a connection by its name, false when there is none.
	CloseConnection(name, reason string) bool
	Churn() broker.ConnectionChurn
}

// Node is what the API shows of the process.
type Node struct {
	Started               time.Time
	DataDir               string
	ConfigFiles, LogFiles []string
	Plugins               []string // names of RabbitMQ's that are taken for enabled
	Mechanisms            []string // of logins
	Listeners             func() []Listener
	Resources             func() Resources
}

// Listener is an address that the node accepts connections on.
type Listener struct {
	Protocol string // amqp, amqp/ssl, http, https, http/prometheus
	Addr     net.Addr
	// NotAfter is when its certificate expires; zero without one.
	NotAfter time.Time
}

func (l *Listener) ipPort() (ip string, port int) {
	if a, ok := l.Addr.(*net.TCPAddr); ok {
		return a.IP.String(), a.Port
	}
	return "", 0
}

// Resources are octets, used and allowed; a limit of 0 is none.
type Resources struct{ MemoryUsed, MemoryLimit, DiskFree, DiskLimit int64 }

func (n *Node) listeners() []Listener {
	if n.Listeners == nil {
		return nil
	}
	return n.Listeners()
}

func (n *Node) resources() Resources {
	if n.Resources == nil {
		return Resources{}
	}
	return n.Resources()
}

// openFiles counts the process's descriptors, 0 where that cannot be known.
func openFiles() int {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1) // what was read counts
	return len(names)
}

// peerOf splits an address.
func peerOf(a net.Addr) (host string, port int) {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String(), t.Port
	}
	return "", 0
}

// moment is a time as RabbitMQ writes it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000") + "+00:00" }

// alarmed says whether an alarm is raised.
func (s *Server) alarmed(a broker.Alarm) bool {
	for _, raised := range s.opt.Broker.Alarms() {
		if raised == a {
			return true
		}
	}
	return false
}

// version is what the node takes itself for.
func (s *Server) version() string { return s.opt.Broker.ReportedVersion() }
