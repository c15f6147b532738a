package broker

import (
	"crypto/tls"
	"net"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// The views of connections and channels, filled in by the protocol's server.

// ConnectionView is a connection as it is listed.
type ConnectionView struct {
	Name        string // "127.0.0.1:1 -> 127.0.0.1:2"
	User, VHost string
	State       string // running, or blocked by an alarm
	Peer, Local net.Addr
	Since       time.Time
	Mechanism   string
	Properties  wire.Table // of the client
	ChannelMax  uint16
	FrameMax    uint32
	Heartbeat   time.Duration
	Channels    int
	Wire        WireCounts
	TLS         *tls.ConnectionState // nil: none
}

// WireCounts is what went through a socket.
type WireCounts struct {
	Received, Sent uint64 // octets
	Reads, Writes  uint64
	Pending        int // octets that wait to be written
}

// ChannelView is a channel as it is listed.
type ChannelView struct {
	Connection           *ConnectionView // shared by its channels
	Number               uint16
	Confirm              bool
	Transactional        bool
	Prefetch             int // of each consumer to come
	GlobalPrefetch       int // of all consumers together
	Unacked              int
	Unconfirmed          uint64
	UncommittedPublishes int64
	UncommittedSettles   int
	Publish              PublishCounts
	Consumers            []ConsumerView
	Deliveries           map[string]DeliverCounts // by queue
	DeliveriesOfOthers   DeliverCounts            // of queues beyond the most that are told apart
}

// ConsumerView is a consumer as it is listed.
type ConsumerView struct {
	Channel   *ChannelView
	Queue     string
	Tag       string
	NoAck     bool
	Exclusive bool
	Prefetch  int
	Priority  int32
	Arguments wire.Table
	Active    bool // the queue serves it
	Single    bool // and one at a time only
}

// DeliverCounts are totals of what a channel was sent and settled.
type DeliverCounts struct {
	Delivered    uint64 // to consumers that acknowledge
	NoAck        uint64 // to consumers that do not
	Got          uint64 // by gets that acknowledge
	GotNoAck     uint64 // by gets that do not
	GotNothing   uint64
	Redelivered  uint64 // of all these
	Acknowledged uint64
}

// Add adds other counts.
func (c *DeliverCounts) Add(o *DeliverCounts) {
	c.Delivered += o.Delivered
	c.NoAck += o.NoAck
	c.Got += o.Got
	c.GotNoAck += o.GotNoAck
	c.GotNothing += o.GotNothing
	c.Redelivered += o.Redelivered
	c.Acknowledged += o.Acknowledged
}

// ConnectionChurn counts what came and went since the start, and logins.
type ConnectionChurn struct {
	Opened, Closed                 uint64
	ChannelsOpened, ChannelsClosed uint64
	Logins, FailedLogins           uint64
	Gone                           WireCounts // of connections that are closed
}
