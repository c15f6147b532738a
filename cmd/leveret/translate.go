package main

import (
	"cmp"
	"log/slog"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp"
	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/cmd/leveret/config"
	"github.com/leveretmq/leveret/mgmt"
	"github.com/leveretmq/leveret/server"
)

// never is as good as no timeout.
const never = 365 * 24 * time.Hour

// serverOptions is what the configuration means to the server.
func serverOptions(o config.Options, logger *slog.Logger) server.Options {
	so := server.Options{
		DataDir: o.DataDir, NodeName: o.NodeName, ClusterName: o.ClusterName, Compatibility: o.Compatibility, Version: o.Version,
		FirstBoot: firstBoot(o.FirstBoot), Definitions: o.Definitions, LoopbackUsers: o.Login.LoopbackUsers, Limits: nodeLimits(o.Limits), ConsumerTimeout: cmp.Or(o.Limits.ConsumerTimeout, -1), Logger: logger,
		Protocol:   protocol(o),
		Watermarks: watermarks(o.Alarms, server.MemoryTotal()), TLS: server.TLS(o.TLS),
		Sockets: server.Sockets{Delay: !o.Listen.NoDelay, NoKeepAlive: !o.Listen.KeepAlive,
			SendBuffer: o.Listen.SendBuffer, ReceiveBuffer: o.Listen.ReceiveBuffer, Proxy: o.Listen.ProxyProtocol},
	}
	so.HTTP, so.Metrics = address(o.Management.Web), address(o.Prometheus)
	so.ConfigFiles, so.Plugins = o.Files, o.Plugins
	so.Web = web(o.Management, o.Prometheus)
	if slices.Contains(o.Plugins, "rabbitmq_event_exchange") {
		so.Events = cmp.Or(o.Events, o.FirstBoot.VHost)
	}
	for _, addr := range o.Listen.TCP {
		so.Listeners = append(so.Listeners, server.Listener{Addr: addr})
	}
	for _, addr := range o.Listen.TLS {
		so.Listeners = append(so.Listeners, server.Listener{Addr: addr, TLS: true})
	}
	return so
}

// address is empty for what is off.
func address(w config.Web) string { return join(w.IP, w.Port) }

func join(ip string, port int) string {
	if port == 0 {
		return ""
	}
	return net.JoinHostPort(ip, strconv.Itoa(port))
}

// web translates what the management API and the metrics are beside that.
func web(m config.Management, p config.Web) server.Web {
	return server.Web{
		HTTPS: join(m.Web.TLSIP, m.Web.TLSPort), HTTPSCertificate: server.TLS(m.Web.TLS),
		SecureMetrics: join(p.TLSIP, p.TLSPort), MetricsCertificate: server.TLS(p.TLS),
		API: mgmt.Settings{PathPrefix: m.PathPrefix, Headers: m.Headers, CORSOrigins: m.CORSOrigins, CORSMaxAge: m.CORSMaxAge,
			MaxBody: m.MaxBody, DisableStats: m.DisableStats, QueueTotals: m.QueueTotals, NoPasswords: m.NoBasicAuth},
		Metrics: mgmt.MetricsSettings{Path: p.Path, PerObject: p.PerObject, Login: p.Authenticate},
	}
}

// watermarks translates alarms, of which what is absolute counts first.
func watermarks(a config.Alarms, memory int64) server.Watermarks {
	if a.MemoryTotal > 0 {
		memory = int64(min(a.MemoryTotal, math.MaxInt64))
	}
	either := func(absolute uint64, relative float64) int64 {
		if absolute > 0 {
			return int64(min(absolute, math.MaxInt64))
		}
		return int64(relative * float64(memory))
	}
	return server.Watermarks{
		Memory:   either(a.MemoryAbsolute, a.MemoryRelative),
		DiskFree: either(a.DiskAbsolute, a.DiskRelative),
	}
}

// protocol translates limits; what is zero in the configuration means none, and
// in amqp.Options the default.
func protocol(o config.Options) amqp.Options {
	l := o.Limits
	return amqp.Options{
		Mechanisms:       o.Login.Mechanisms,
		CertificateName:  amqp.CertificateName{From: o.Login.From, SANType: o.Login.SANType, SANIndex: o.Login.SANIndex},
		ChannelMax:       cmp.Or(l.ChannelMax, math.MaxUint16),
		FrameMax:         uint32(min(cmp.Or(l.FrameMax, frameMost), frameMost)),
		Heartbeat:        cmp.Or(l.Heartbeat, -1),
		MaxMessageSize:   l.MaxMessageSize,
		HandshakeTimeout: cmp.Or(o.Listen.HandshakeTimeout, never),
		TLSTimeout:       cmp.Or(o.Listen.TLSTimeout, never),
	}
}

func nodeLimits(l config.Limits) broker.NodeLimits {
	return broker.NodeLimits{Connections: l.Connections, Channels: l.NodeChannels, ConsumersPerChannel: l.ChannelConsumers,
		VHosts: l.VHosts, Queues: l.Queues, Exchanges: l.Exchanges}
}

// frameMost bounds the buffer that one frame may ask for, whatever frame_max
// says.
const frameMost = 16 << 20

// firstBoot is default_user, and those of default_users whose pattern fits the
// virtual host.
func firstBoot(f config.FirstBoot) broker.FirstBoot {
	kind := strings.TrimSuffix(strings.TrimPrefix(f.QueueType, "rabbit_"), "_queue")
	b := broker.FirstBoot{VHost: f.VHost, QueueType: kind, Users: []broker.FirstUser{{
		Name: f.User, Password: f.Password, Tags: f.Tags, Configure: f.Configure, Write: f.Write, Read: f.Read,
	}}}
	for _, u := range f.Users {
		if fits, err := regexp.MatchString(u.VHostPattern, f.VHost); err == nil && fits {
			b.Users = append(b.Users, broker.FirstUser{Name: u.Name, Password: u.Password, Tags: u.Tags, Configure: u.Configure, Write: u.Write, Read: u.Read})
		}
	}
	return b
}
