package mgmt

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/leveretmq/leveret/broker"
)

// MetricsHandler answers /metrics, /metrics/per-object and /metrics/detailed,
// for everybody (RabbitMQ: its Prometheus plugin asks no login).
func (s *Server) MetricsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	process := promhttp.HandlerFor(registry, promhttp.HandlerOpts{DisableCompression: true})
	o := s.opt.Metrics
	path := "/" + strings.Trim(cmp.Or(o.Path, "metrics"), "/")
	m := http.NewServeMux()
	for suffix, write := range map[string]func(x *scrape, r *http.Request){
		"": func(x *scrape, r *http.Request) {
			if o.PerObject {
				x.perObject()
			} else {
				x.aggregated()
			}
			x.process(process, r)
		},
		"/per-object": func(x *scrape, r *http.Request) { x.perObject(); x.process(process, r) },
		"/detailed":   func(x *scrape, r *http.Request) { x.detailed(r.URL.Query()) },
	} {
		m.HandleFunc("GET "+path+suffix, func(w http.ResponseWriter, r *http.Request) { s.expose(w, r, write) })
	}
	return m
}

// ServeMetrics answers scrapes that come by l until Shutdown. It closes l.
func (s *Server) ServeMetrics(l net.Listener) error { return serve(s.metrics, l) }

// expose writes a scrape, packed if the scraper wants it so.
func (s *Server) expose(w http.ResponseWriter, r *http.Request, write func(*scrape, *http.Request)) {
	if s.opt.Metrics.Login {
		c := s.newCall(w, r)
		err := c.login()
		if err == nil {
			err = c.admit(monitor)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	h.Set("Vary", "Accept-Encoding")
	var out io.Writer = w
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level exists
		defer z.Close()
		out = z
	}
	x := &scrape{s: s, exposition: exposition{w: bufio.NewWriterSize(out, 64<<10), prefix: "rabbitmq_"}, in: func(string) bool { return true }}
	write(x, r)
	_ = x.w.Flush() // the scraper has gone, then
}

// scrape is one look at everything. What families share is looked up once.
type scrape struct {
	exposition
	s        *Server
	in       func(vhost string) bool
	queues   []labelled[*broker.QueueView]
	channels []*broker.ChannelView
	looked   bool
}

// look finds the queues and channels.
func (x *scrape) look() {
	if x.looked {
		return
	}
	x.looked = true
	all := x.s.opt.Broker.Queues(x.in)
	x.queues = make([]labelled[*broker.QueueView], len(all))
	for i := range all {
		x.queues[i].of = &all[i]
	}
	x.channels = x.s.opt.AMQP.Channels()
}

// aggregated is /metrics: sums, which do not fall when something is closed.
func (x *scrape) aggregated() {
	x.look()
	x.node()
	x.logins()
	summed(&x.exposition, joinedMetrics(queueCoarse, queueMore), x.queues)
	summed(&x.exposition, channelGauges, x.labelledChannels())
	node, _ := x.s.opt.Broker.Traffic()
	churn := x.s.opt.AMQP.Churn()
	single(&x.exposition, channelPublishes, &node.Publish)
	queues := node.Queues()
	d := delivered(&queues)
	single(&x.exposition, channelDeliveries, &d)
	single(&x.exposition, connectionCounters, x.octets(churn.Gone))
	summed(&x.exposition, connectionGauges, x.connections())
	single(&x.exposition, queuePublished, queues.Published)
	x.totals(&node)
}

// perObject is /metrics/per-object.
func (x *scrape) perObject() {
	x.look()
	x.node()
	x.logins()
	x.nameQueues()
	each(&x.exposition, joinedMetrics(queueCoarse, queueMore, queueOwn), x.queues)
	each(&x.exposition, channelGauges, x.labelledChannels())
	each(&x.exposition, channelPublishes, x.channelPublishes())
	each(&x.exposition, channelDeliveries, x.channelDeliveries())
	each(&x.exposition, connectionCounters, x.connectionOctets())
	each(&x.exposition, connectionGauges, x.connections())
	node, _ := x.s.opt.Broker.Traffic()
	x.totals(&node)
}

// families are what /metrics/detailed can be asked for.
var families = []struct { // read-only
	name  string
	write func(*scrape)
}{
	{"queue_coarse_metrics", func(x *scrape) { x.nameQueues(); each(&x.exposition, queueCoarse, x.queues) }},
	{"queue_metrics", func(x *scrape) { x.nameQueues(); each(&x.exposition, joinedMetrics(queueMore, queueOwn), x.queues) }},
	{"queue_consumer_count", func(x *scrape) { x.nameQueues(); each(&x.exposition, queueMore[:1], x.queues) }},
	{"queue_delivery_metrics", func(x *scrape) { x.nameQueues(); each(&x.exposition, queueDeliveries, x.queues) }},
	{"connection_coarse_metrics", func(x *scrape) { each(&x.exposition, connectionCounters[:2], x.connectionOctets()) }},
	{"connection_metrics", func(x *scrape) {
		each(&x.exposition, connectionCounters[2:], x.connectionOctets())
		each(&x.exposition, connectionGauges, x.connections())
	}},
	{"connection_churn_metrics", func(x *scrape) { x.churn() }},
	{"channel_metrics", func(x *scrape) { each(&x.exposition, channelGauges, x.labelledChannels()) }},
	{"channel_exchange_metrics", func(x *scrape) { each(&x.exposition, channelPublishes, x.channelPublishes()) }},
	{"channel_queue_metrics", func(x *scrape) { each(&x.exposition, channelDeliveries, x.channelDeliveries()) }},
	{"exchange_metrics", func(x *scrape) { x.exchanges() }},
	{"node_coarse_metrics", func(x *scrape) { single(&x.exposition, nodeCoarse, x.s.usage()) }},
	{"node_metrics", func(x *scrape) { single(&x.exposition, nodeLimits, x.s.usage()) }},
	{"auth_attempt_metrics", func(x *scrape) { x.logins() }},
	{"alarms_metrics", func(x *scrape) { x.alarms() }},
	{"vhost_status", func(x *scrape) { x.vhostStatus() }},
	{"exchange_names", func(x *scrape) { x.exchangeNames() }},
	{"exchange_bindings", func(x *scrape) { x.exchangeBindings() }},
}

// detailed is /metrics/detailed?family=..&vhost=..: only what is asked for.
func (x *scrape) detailed(q url.Values) {
	if vhosts := q["vhost"]; len(vhosts) > 0 {
		x.in = func(name string) bool { return slices.Contains(vhosts, name) }
	}
	for _, f := range families {
		if slices.Contains(q["family"], f.name) {
			x.look()
			x.prefix = "rabbitmq_detailed_"
			f.write(x)
		}
	}
	x.prefix = "rabbitmq_"
	x.identity()
}

// process adds what the Prometheus client knows of Go and the process.
func (x *scrape) process(h http.Handler, r *http.Request) {
	plain := r.Clone(r.Context())
	plain.Header = http.Header{} // for text that is not packed
	h.ServeHTTP(&bodyOnly{x.w}, plain)
}

// bodyOnly takes an answer's body and leaves out the rest.
type bodyOnly struct{ io.Writer }

// Header is not looked at.
func (bodyOnly) Header() http.Header { return http.Header{} }

// WriteHeader is not looked at.
func (bodyOnly) WriteHeader(int) {}

func (x *scrape) identity() {
	x.family("build_info", "untyped", "RabbitMQ version that Leveret is compatible with, and what it is built of")
	v := x.s.version()
	x.sample("build_info", label("rabbitmq_version", v, "prometheus_plugin_version", v, "prometheus_client_version", broker.Version,
		"erlang_version", strings.TrimPrefix(runtime.Version(), "go")), 1)
	x.family("identity_info", "untyped", "The node and its cluster")
	x.sample("identity_info", label("rabbitmq_node", x.s.node(), "rabbitmq_cluster", x.s.cluster(), "rabbitmq_cluster_permanent_id", x.s.clusterID()), 1)
}

// clusterID is the name that a cluster gets at its first start.
func (s *Server) clusterID() string {
	var id string
	p, err := s.opt.Broker.GlobalParameter("internal_cluster_id")
	if err != nil || json.Unmarshal(p.Value, &id) != nil {
		return ""
	}
	return id
}
