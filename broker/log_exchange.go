package broker

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/leveretmq/leveret/amqp/wire"
)

// logExchange takes the lines of the node's log by their level: the keys are
// debug, info, warning and error (RabbitMQ: log.exchange).
const logExchange = "amq.rabbitmq.log"

// LogExchange is a slog.Handler that passes everything on, and publishes it to
// the exchange amq.rabbitmq.log once PublishLog has connected it. It is made
// before the broker, whose own log is to go through it.
type LogExchange struct {
	next slog.Handler
	with func(slog.Handler) slog.Handler // what With and WithGroup have added, for lines
	to   *atomic.Pointer[logTarget]
}

type logTarget struct {
	b     *Broker
	vhost string
}

// NewLogExchange makes a handler in front of next.
func NewLogExchange(next slog.Handler) *LogExchange {
	return &LogExchange{next, func(h slog.Handler) slog.Handler { return h }, new(atomic.Pointer[logTarget])}
}

// PublishLog makes the log exchange in a virtual host, when it is not there, and
// has lines published to it from now on. The error is an *Error, NotFound when there
// is no such host.
func (b *Broker) PublishLog(l *LogExchange, vhost string) error {
	if err := b.ensureTopic(vhost, logExchange); err != nil {
		return err
	}
	l.to.Store(&logTarget{b, vhost})
	return nil
}

// Enabled implements slog.Handler.
func (l *LogExchange) Enabled(ctx context.Context, level slog.Level) bool {
	return l.next.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (l *LogExchange) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := l.with
	return &LogExchange{l.next.WithAttrs(attrs), func(h slog.Handler) slog.Handler { return with(h).WithAttrs(attrs) }, l.to}
}

// WithGroup implements slog.Handler.
func (l *LogExchange) WithGroup(name string) slog.Handler {
	with := l.with
	return &LogExchange{l.next.WithGroup(name), func(h slog.Handler) slog.Handler { return with(h).WithGroup(name) }, l.to}
}

// Handle implements slog.Handler.
func (l *LogExchange) Handle(ctx context.Context, r slog.Record) error {
	if to := l.to.Load(); to != nil {
		l.publish(ctx, to, r)
	}
	return l.next.Handle(ctx, r)
}

func (l *LogExchange) publish(ctx context.Context, to *logTarget, r slog.Record) {
	var line bytes.Buffer
	text := slog.NewTextHandler(&line, &slog.HandlerOptions{Level: slog.LevelDebug - 100})
	if err := l.with(text).Handle(ctx, r); err != nil {
		return // a buffer does not fail
	}
	to.b.events.post(notice{vhost: to.vhost, exchange: logExchange, key: levelName(r.Level), body: line.Bytes(), props: wire.Properties{
		Flags:       wire.FlagContentType | wire.FlagTimestamp | wire.FlagHeaders,
		ContentType: "text/plain", Timestamp: wire.Timestamp(r.Time.Unix()), Headers: wire.Table{{Name: "node", Value: to.b.opt.NodeName}},
	}})
}

// levelName is the key of a line: levels between two count as the lower.
func levelName(level slog.Level) string {
	switch {
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warning"
	}
	return "error"
}
