package mgmt

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

var wellAnswer = object{{"status", "ok"}} // read-only

// ill answers a check that failed.
func (c *call) ill(reason string, more ...field) error {
	c.w.Header().Set("Cache-Control", "no-cache")
	c.write(http.StatusServiceUnavailable, appendObject(nil, append(object{{"status", "failed"}, {"reason", reason}}, more...)))
	return nil
}

func (c *call) well() error { return c.answer(wellAnswer) }

// nodeHealth is RabbitMQ's old check: it answers 200 whatever it finds.
func (c *call) nodeHealth() error {
	if node, ok := c.vars["node"]; ok && node != c.srv.node() {
		return missing()
	}
	if alarms := c.broker().Alarms(); len(alarms) > 0 {
		return c.answer(object{{"status", "failed"}, {"reason", "resource alarm(s) in effect:[" + alarmNames(alarms) + "]"}})
	}
	return c.well()
}

func alarmNames(all []broker.Alarm) string {
	var names []string
	for _, a := range all {
		names = append(names, string(a))
	}
	return strings.Join(names, ",")
}

func (c *call) alarmHealth() error {
	alarms := c.broker().Alarms()
	if len(alarms) == 0 {
		return c.well()
	}
	shown := []object{}
	for _, a := range alarms {
		shown = append(shown, object{{"node", c.srv.node()}, {"resource", string(a)}})
	}
	return c.ill("There are alarms in effect in the cluster", field{"alarms", shown})
}

// singleNode answers what only a cluster can fail.
func (c *call) singleNode() error {
	return c.answer(object{{"status", "ok"}, {"reason", "single node cluster"}})
}

func (c *call) portHealth() error {
	port, err := strconv.Atoi(c.vars["port"])
	if err != nil {
		return badRequest("Invalid port")
	}
	ports := list{}
	for _, l := range c.srv.opt.Node.listeners() {
		_, have := l.ipPort()
		if have == port {
			return c.answer(object{{"status", "ok"}, {"port", port}})
		}
		ports = append(ports, have)
	}
	return c.ill("No active listener", field{"missing", port}, field{"ports", ports})
}

// protocolHealth takes several protocols, as RabbitMQ 4 does.
func (c *call) protocolHealth() error {
	have := []string{}
	for _, l := range c.srv.opt.Node.listeners() {
		if !slices.Contains(have, l.Protocol) {
			have = append(have, l.Protocol)
		}
	}
	for _, name := range strings.Split(c.vars["protocol"], ",") {
		name = protocolName(strings.TrimSpace(name))
		if slices.Contains(have, name) {
			return c.answer(object{{"status", "ok"}, {"protocol", name}})
		}
	}
	return c.ill("No active listener", field{"missing", protocolName(c.vars["protocol"])}, field{"protocols", have})
}

// protocolName is RabbitMQ's own for the names that people use.
func protocolName(name string) string {
	switch strings.ToLower(name) {
	case "amqp091", "amqp0.9.1", "amqp0-9-1", "amqp", "amqp10", "amqp1.0":
		return "amqp"
	case "amqps", "amqp/ssl", "amqps091":
		return "amqp/ssl"
	}
	return name
}

func (c *call) certificateHealth() error {
	n, err := strconv.Atoi(c.vars["within"])
	if err != nil || n < 0 || n > 10_000 {
		return badRequest("Invalid expiration period.")
	}
	now := time.Now()
	until, ok := map[string]time.Time{
		"days": now.AddDate(0, 0, n), "weeks": now.AddDate(0, 0, 7*n), "months": now.AddDate(0, n, 0), "years": now.AddDate(n, 0, 0),
	}[c.vars["unit"]]
	if !ok {
		return badRequest("Time unit not recognised. Supported units: days, weeks, months, years.")
	}
	expired := []object{}
	for _, l := range c.srv.opt.Node.listeners() {
		if !l.NotAfter.IsZero() && l.NotAfter.Before(until) {
			ip, port := l.ipPort()
			expired = append(expired, object{{"node", c.srv.node()}, {"protocol", l.Protocol}, {"interface", ip}, {"port", port}, {"certfile_expires_on", l.NotAfter.UTC().Format(time.RFC3339)}})
		}
	}
	if len(expired) > 0 {
		return c.ill("Certificates expiring", field{"expired", expired})
	}
	return c.well()
}

// aliveness sends a message through a queue of its own.
func (c *call) aliveness() error {
	s, err := c.session()
	if err != nil {
		return err
	}
	defer s.Close()
	var salt [8]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return err
	}
	name := "aliveness-test." + hex.EncodeToString(salt[:])
	done := make(chan error, 1)
	s.DeclareQueue(&wire.QueueDeclare{Queue: name, Exclusive: true}, func(_ broker.QueueInfo, err error) { done <- err })
	if err := <-done; err != nil {
		return refused(err.Error())
	}
	routed, err := c.deliver(s, message{key: name, properties: []byte{0, 0}, payload: []byte("test_message")})
	if err != nil || !routed {
		return refused("aliveness test failed")
	}
	q, err := s.Queue(name, broker.Read)
	if err != nil {
		return refused(err.Error())
	}
	all, err := c.fetch(s, q, wish{count: 1, mode: "ack_requeue_false", truncate: -1})
	if err != nil || len(all) != 1 {
		return refused("aliveness test failed")
	}
	return c.well()
}

// rebalance would spread queues over a cluster.
func (c *call) rebalance() error { return c.done() }

// reset forgets what was sampled.
func (c *call) reset() error {
	if node, ok := c.vars["node"]; ok && node != c.srv.node() {
		return missing()
	}
	c.srv.samples.reset()
	return c.done()
}

func (c *call) productVersion() error {
	return c.answer(c.srv.version())
}
