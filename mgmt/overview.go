package mgmt

import (
	"runtime"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/exchange"
)

func (c *call) overview() error {
	o := c.identity()
	if c.withoutStats() {
		o = append(o, field{"node", c.srv.node()}, field{"object_totals", c.objectTotals(false)})
		return row(c, objectColumns(o), o)
	}
	ages := agesOf(c.query)
	traffic := c.traffic(ages)
	churn := c.srv.samples.past(series{kind: theChurn}, c.srv.samples.churn(), ages)
	o = append(o, object{
		{"message_stats", traffic.stats(ages.messages, publishStats, deliverStats, diskStats)},
		{"churn_rates", churn.stats(ages.messages, churnStats)},
		{"queue_totals", traffic.stats(ages.lengths, lengths)},
		{"object_totals", c.objectTotals(true)},
		{"statistics_db_event_queue", 0},
	}...)
	if c.isMonitor() {
		o = append(o, field{"node", c.srv.node()}, field{"listeners", c.srv.listenersJSON()}, field{"contexts", c.srv.contexts()})
	}
	return row(c, objectColumns(o), o)
}

// objectColumns makes an object a row, whose fields the query picks.
func objectColumns(o object) []column[object] {
	columns := make([]column[object], len(o))
	for i := range o {
		columns[i] = column[object]{o[i].name, func(o object) any { return o[i].value }}
	}
	return columns
}

// diskStats are RabbitMQ's message store's; ours writes whole batches.
var diskStats = []stat{{"disk_reads", nil}, {"disk_writes", nil}} // read-only

var churnStats = []stat{ // read-only
	{"channel_closed", []int{ofChannelClosed}}, {"channel_created", []int{ofChannelOpened}},
	{"connection_closed", []int{ofConnectionClosed}}, {"connection_created", []int{ofConnectionOpened}},
	{"queue_created", []int{ofQueueCreated}}, {"queue_declared", []int{ofQueueDeclared}}, {"queue_deleted", []int{ofQueueDeleted}},
}

// identity says what the node is. RabbitMQ's version is the one that clients
// are told; ours stands beside it.
func (c *call) identity() object {
	v := c.srv.version()
	return object{
		{"management_version", v},
		{"rates_mode", "basic"},
		{"sample_retention_policies", object{{"global", list{600, 3600, 28800, 86400}}, {"basic", list{60}}, {"detailed", list{60}}}},
		{"exchange_types", exchangeTypes()},
		{"product_version", v},
		{"product_name", "RabbitMQ"},
		{"rabbitmq_version", v},
		{"leveret_version", broker.Version},
		{"compatibility", c.broker().Level()},
		{"cluster_name", c.srv.cluster()},
		{"erlang_version", strings.TrimPrefix(runtime.Version(), "go")},
		{"erlang_full_version", "Leveret " + broker.Version + ", " + runtime.Version()},
		{"release_series_support_status", "supported"},
		{"disable_stats", c.withoutStats()},
		{"enable_queue_totals", c.withTotals()},
	}
}

// withoutStats and withTotals are for the settings or the query to say.
func (c *call) withoutStats() bool {
	return c.srv.opt.API.DisableStats || c.query.Get("disable_stats") == "true"
}

func (c *call) withTotals() bool {
	return c.srv.opt.API.QueueTotals || c.query.Get("enable_queue_totals") == "true"
}

func exchangeTypes() []object {
	var all []object
	for _, kind := range exchange.Kinds() {
		all = append(all, object{{"name", kind}, {"description", "exchange of type " + kind}, {"enabled", true}})
	}
	return all
}

// traffic sums up the virtual hosts that the user may see, of the whole node
// for monitors.
func (c *call) traffic(a *ages) past {
	node, byVHost := c.broker().Traffic()
	if c.isMonitor() {
		return c.srv.samples.past(series{kind: theNode}, trafficVector(&node), a)
	}
	var sum past
	sees := c.sees()
	for name, t := range byVHost {
		if sees(name) {
			sum.merge(c.srv.samples.past(series{aVHost, 0, name}, trafficVector(&t), a))
		}
	}
	return sum
}

// merge adds another past of the same moment; no history is kept of sums.
func (p *past) merge(o past) {
	for i := range o.now {
		p.now[i] += o.now[i]
		p.base[i] += o.base[i]
	}
	p.at, p.since, p.ages = o.at, o.since, o.ages
}

func (c *call) objectTotals(all bool) object {
	in := c.sees()
	if c.isMonitor() {
		in = func(string) bool { return true }
	}
	queues, exchanges := c.broker().Count(in)
	connections := 0
	for _, v := range c.srv.opt.AMQP.Connections() {
		if c.seesUser(v.User) {
			connections++
		}
	}
	o := object{{"connections", connections}, {"exchanges", exchanges}, {"queues", queues}}
	if !all {
		return o
	}
	channels, consumers := 0, 0
	for _, ch := range c.srv.opt.AMQP.Channels() {
		if c.seesUser(ch.Connection.User) {
			channels++
			consumers += len(ch.Consumers)
		}
	}
	o = append(o, field{"channels", channels})
	if c.isMonitor() {
		o = append(o, field{"consumers", consumers})
	}
	return o
}

func (s *Server) listenersJSON() []object {
	all := []object{}
	for _, l := range s.opt.Node.listeners() {
		ip, port := l.ipPort()
		all = append(all, object{{"node", s.node()}, {"protocol", l.Protocol}, {"ip_address", ip}, {"port", port},
			{"socket_opts", object{{"backlog", 128}, {"nodelay", true}}}})
	}
	return all
}

// contexts are the HTTP listeners, as RabbitMQ's web server names them.
func (s *Server) contexts() []object {
	all := []object{}
	for _, l := range s.opt.Node.listeners() {
		description, ok := map[string]string{"http": "RabbitMQ Management", "https": "RabbitMQ Management", "http/prometheus": "RabbitMQ Prometheus"}[l.Protocol]
		if !ok {
			continue
		}
		ip, port := l.ipPort()
		all = append(all, object{{"ssl_opts", list{}}, {"node", s.node()}, {"description", description}, {"path", "/"},
			{"cowboy_opts", "[]"}, {"ip", ip}, {"port", strconv.Itoa(port)}, {"protocol", "'" + l.Protocol + "'"}})
	}
	return all
}
