package config

import "time"

// Options is all that a node is told. Sizes are octets.
type Options struct {
	DataDir       string // holds everything durable
	NodeName      string // "rabbit@host"; empty: the server's own default
	ClusterName   string // shown to clients; empty: the node's name
	Compatibility string // 3.10, 3.13 or 4.3; empty: 3.13
	Version       string // what clients are told RabbitMQ's version is; empty: that of Compatibility
	PIDFile       string // empty: none is written
	Plugins       []string

	Listen      Listen
	TLS         TLS
	Login       Login
	FirstBoot   FirstBoot
	Events      string // virtual host of amq.rabbitmq.event, with the plugin rabbitmq_event_exchange; empty: that of FirstBoot
	Definitions string // a file, or a directory of files, imported at each start; empty: none
	Limits      Limits
	Alarms      Alarms
	Log         Log
	Management  Management
	Prometheus  Web

	// Files are the configuration files that were read.
	Files []string
	// Warnings are the settings that were accepted without effect.
	Warnings []string
}

// Listen says where AMQP is accepted, and how.
type Listen struct {
	TCP, TLS         []string // HOST:PORT each
	HandshakeTimeout time.Duration
	TLSTimeout       time.Duration // of the TLS handshake alone
	NoDelay          bool
	KeepAlive        bool
	SendBuffer       int // octets of the kernel's buffers; 0: the system's choice
	ReceiveBuffer    int
	ProxyProtocol    bool // each connection begins with a PROXY header
}

// TLS is one side's certificate and what it asks of the other.
type TLS struct {
	CertFile, KeyFile, CAFile string
	Password                  string // of the key
	VerifyPeer                bool
	RequirePeer               bool   // no certificate is an error (fail_if_no_peer_cert)
	Depth                     int    // intermediate certificates allowed
	MinVersion, MaxVersion    uint16 // as crypto/tls has them; 0: its own choice
	Ciphers                   []uint16
}

// Login says who may log in and how.
type Login struct {
	Mechanisms    []string // in the order offered; empty: the server's default
	LoopbackUsers []string // may log in from this machine only
	// From is where EXTERNAL finds the user's name in a certificate:
	// distinguished_name, common_name or subject_alternative_name; of the last
	// the SANIndex-th of SANType (dns, ip, email, uri). Empty: the first of each.
	From     string
	SANType  string
	SANIndex int
}

// FirstBoot is what an empty data directory is filled with.
type FirstBoot struct {
	User, Password, VHost  string
	Tags                   []string
	Configure, Write, Read string
	Users                  []User
	QueueType              string // of queues declared without x-queue-type
}

// User is one more user of the first boot (default_users.NAME.*).
type User struct {
	Name, Password         string
	Tags                   []string
	VHostPattern           string
	Configure, Write, Read string
}

// Limits bound what clients may do.
type Limits struct {
	Heartbeat       time.Duration // 0: none
	FrameMax        uint64        // 0: no limit
	ChannelMax      uint16        // of one connection; 0: no limit
	MaxMessageSize  uint64
	ConsumerTimeout time.Duration // 0: none
	// Of the whole node; 0: no limit.
	Connections, NodeChannels int
	VHosts, Queues, Exchanges int
	ChannelConsumers          int // of one channel
}

// Alarms say when publishing is held. An absolute limit that is not zero takes
// the place of the relative one.
type Alarms struct {
	MemoryRelative float64 // of all memory
	MemoryAbsolute uint64
	MemoryTotal    uint64  // taken for the machine's memory; 0: ask the system
	DiskRelative   float64 // of all memory
	DiskAbsolute   uint64
}

// Log says what is logged where.
type Log struct {
	Level      string            // of all categories that have none of their own; empty: info
	Categories map[string]string // level by category: connection, channel, queue
	Dir        string
	Console    Output
	ToStderr   bool // the console is standard error
	File       Output
	FileName   string // in Dir unless absolute; empty: no file
	Rotation   Rotation
	Exchange   bool // publish to amq.rabbitmq.log
}

// Output is one place that logs go to.
type Output struct {
	On    bool
	Level string // empty: that of Log
	JSON  bool
}

// Rotation says when a log file is put aside and how many are kept.
type Rotation struct {
	Size     int64 // 0: not by size
	At       Schedule
	Keep     int // older files kept
	Compress bool
}

// Web is one HTTP listener.
type Web struct {
	IP           string
	Port         int // 0: off
	TLSIP        string
	TLSPort      int // 0: off
	TLS          TLS
	Path         string
	PerObject    bool
	Authenticate bool
}

// Management is the HTTP API's own settings.
type Management struct {
	Web            Web
	PathPrefix     string
	CORSOrigins    []string
	CORSMaxAge     time.Duration
	Headers        map[string]string // by header name: CSP, HSTS and the like
	RatesMode      string            // basic, detailed or none
	SessionTimeout time.Duration
	MaxBody        int64
	DisableStats   bool
	QueueTotals    bool
	NoBasicAuth    bool
	// Retention is, by section (global, basic, detailed), how often in seconds a
	// sample is taken, by for how many seconds it is kept.
	Retention map[string]map[int]int
	Interval  time.Duration // of statistics
}
