package mgmt

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/leveretmq/leveret/broker"
)

// nodeRow is the node as it is listed.
type nodeRow struct {
	s *Server
	resources
	past past
	gc   uint64
}

// resources is a look at what the process uses.
type resources struct {
	Resources
	memory, diskFree uint64
	files            int
}

func (s *Server) machine() resources {
	r := s.opt.Node.resources()
	return resources{r, uint64(max(r.MemoryUsed, 0)), uint64(max(r.DiskFree, 0)), openFiles()}
}

func (c *call) nodeRow() *nodeRow {
	s := c.srv
	return &nodeRow{s: s, resources: s.machine(), gc: collections(),
		past: s.samples.past(series{kind: theChurn}, s.samples.churn(), agesOf(c.query))}
}

// collections is how often garbage was collected.
func collections() uint64 {
	m := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(m)
	return m[0].Value.Uint64()
}

func (n *nodeRow) sum(of int) any        { return n.past.now[of] }
func (n *nodeRow) details(of ...int) any { return n.past.details(n.past.ages.node, of...) }

// nodeColumns begin with what is told of this node; nodeNothings follow.
var nodeColumns = append([]column[*nodeRow]{ // read-only
	{"name", func(n *nodeRow) any { return n.s.node() }},
	{"type", func(*nodeRow) any { return "disc" }},
	{"running", func(*nodeRow) any { return true }},
	{"uptime", func(n *nodeRow) any { return time.Since(n.s.opt.Node.Started).Milliseconds() }},
	{"os_pid", func(*nodeRow) any { return strconv.Itoa(os.Getpid()) }},
	{"partitions", func(*nodeRow) any { return list{} }},
	{"cluster_links", func(*nodeRow) any { return list{} }},
	{"processors", func(*nodeRow) any { return runtime.NumCPU() }},
	{"run_queue", func(*nodeRow) any { return 0 }},
	{"rates_mode", func(*nodeRow) any { return "basic" }},
	{"net_ticktime", func(*nodeRow) any { return 60 }},
	{"mem_used", func(n *nodeRow) any { return n.MemoryUsed }},
	{"mem_used_details", func(n *nodeRow) any { return n.details(ofMemory) }},
	{"mem_limit", func(n *nodeRow) any { return n.MemoryLimit }},
	{"mem_alarm", func(n *nodeRow) any { return n.s.alarmed(broker.MemoryAlarm) }},
	{"mem_calculation_strategy", func(*nodeRow) any { return "allocated" }},
	{"disk_free", func(n *nodeRow) any { return n.DiskFree }},
	{"disk_free_details", func(n *nodeRow) any { return n.details(ofDisk) }},
	{"disk_free_limit", func(n *nodeRow) any { return n.DiskLimit }},
	{"disk_free_alarm", func(n *nodeRow) any { return n.s.alarmed(broker.DiskAlarm) }},
	{"fd_used", func(n *nodeRow) any { return n.files }},
	{"fd_used_details", func(n *nodeRow) any { return n.details(ofFiles) }},
	{"fd_total", func(*nodeRow) any { return filesLimit() }},
	{"sockets_used", func(n *nodeRow) any { return n.sum(ofSockets) }},
	{"sockets_used_details", func(n *nodeRow) any { return n.details(ofSockets) }},
	{"sockets_total", func(*nodeRow) any { return filesLimit() }},
	{"proc_used", func(*nodeRow) any { return runtime.NumGoroutine() }},
	{"proc_used_details", func(n *nodeRow) any { return n.details() }},
	{"proc_total", func(*nodeRow) any { return 1 << 20 }},
	{"gc_num", func(n *nodeRow) any { return n.gc }},
	{"gc_num_details", func(n *nodeRow) any { return n.details() }},
	{"connection_created", func(n *nodeRow) any { return n.sum(ofConnectionOpened) }},
	{"connection_created_details", func(n *nodeRow) any { return n.details(ofConnectionOpened) }},
	{"connection_closed", func(n *nodeRow) any { return n.sum(ofConnectionClosed) }},
	{"connection_closed_details", func(n *nodeRow) any { return n.details(ofConnectionClosed) }},
	{"channel_created", func(n *nodeRow) any { return n.sum(ofChannelOpened) }},
	{"channel_created_details", func(n *nodeRow) any { return n.details(ofChannelOpened) }},
	{"channel_closed", func(n *nodeRow) any { return n.sum(ofChannelClosed) }},
	{"channel_closed_details", func(n *nodeRow) any { return n.details(ofChannelClosed) }},
	{"queue_declared", func(n *nodeRow) any { return n.sum(ofQueueDeclared) }},
	{"queue_declared_details", func(n *nodeRow) any { return n.details(ofQueueDeclared) }},
	{"queue_created", func(n *nodeRow) any { return n.sum(ofQueueCreated) }},
	{"queue_created_details", func(n *nodeRow) any { return n.details(ofQueueCreated) }},
	{"queue_deleted", func(n *nodeRow) any { return n.sum(ofQueueDeleted) }},
	{"queue_deleted_details", func(n *nodeRow) any { return n.details(ofQueueDeleted) }},
	{"enabled_plugins", func(n *nodeRow) any { return n.s.opt.Node.Plugins }},
	{"exchange_types", func(*nodeRow) any { return exchangeTypes() }},
	{"auth_mechanisms", func(n *nodeRow) any { return n.mechanisms() }},
	{"applications", func(n *nodeRow) any { return n.applications() }},
	{"contexts", func(n *nodeRow) any { return n.s.contexts() }},
	{"db_dir", func(n *nodeRow) any { return n.s.opt.Node.DataDir }},
	{"config_files", func(n *nodeRow) any { return n.s.opt.Node.ConfigFiles }},
	{"log_files", func(n *nodeRow) any { return n.s.opt.Node.LogFiles }},
	{"metrics_gc_queue_length", func(*nodeRow) any { return object{} }},
	{"ra_open_file_metrics", func(*nodeRow) any { return object{{"ra_log_wal", 0}, {"ra_log_segment_writer", 0}} }},
}, nothings("gc_bytes_reclaimed", "context_switches", "io_read_count", "io_read_bytes", "io_read_avg_time",
	"io_write_count", "io_write_bytes", "io_write_avg_time", "io_sync_count", "io_sync_avg_time", "io_seek_count", "io_seek_avg_time",
	"io_reopen_count", "mnesia_ram_tx_count", "mnesia_disk_tx_count", "msg_store_read_count", "msg_store_write_count",
	"queue_index_write_count", "queue_index_read_count")...)

// nothings are counts of what only an Erlang node has, for clients that insist
// on them.
func nothings(names ...string) (all []column[*nodeRow]) {
	for _, name := range names {
		all = append(all,
			column[*nodeRow]{name, func(*nodeRow) any { return 0 }},
			column[*nodeRow]{name + "_details", func(n *nodeRow) any { return n.details() }})
	}
	return all
}

func (n *nodeRow) mechanisms() []object {
	all := []object{}
	for _, name := range n.s.opt.Node.Mechanisms {
		all = append(all, object{{"name", name}, {"description", "SASL mechanism " + name}, {"enabled", true}})
	}
	return all
}

// applications are what an Erlang node is made of.
func (n *nodeRow) applications() []object {
	return []object{
		{{"name", "rabbit"}, {"description", "RabbitMQ, as Leveret is compatible with it"}, {"version", n.s.version()}},
		{{"name", "leveret"}, {"description", "Leveret"}, {"version", broker.Version}},
	}
}

func (c *call) nodes() error { return rows(c, nodeColumns, []*nodeRow{c.nodeRow()}) }

func (c *call) oneNode() error {
	if c.vars["node"] != c.srv.node() {
		return missing()
	}
	n := c.nodeRow()
	columns := nodeColumns
	if c.query.Get("memory") == "true" || c.query.Get("binary") == "true" {
		columns = append(columns[:len(columns):len(columns)], column[*nodeRow]{"memory", func(n *nodeRow) any { return n.breakdown() }},
			column[*nodeRow]{"binary", func(*nodeRow) any { return object{} }})
	}
	return row(c, columns, n)
}

// breakdown says what memory is used for, as far as the Go runtime knows.
func (n *nodeRow) breakdown() object {
	of := func(name string) int64 {
		m := []metrics.Sample{{Name: name}}
		metrics.Read(m)
		return int64(m[0].Value.Uint64())
	}
	heap, stacks := of("/memory/classes/heap/objects:bytes"), of("/memory/classes/heap/stacks:bytes")
	unused := of("/memory/classes/heap/free:bytes") + of("/memory/classes/heap/unused:bytes")
	return object{
		{"heap", heap}, {"stacks", stacks}, {"allocated_unused", unused}, {"other_system", max(n.MemoryUsed-heap-stacks-unused, 0)}, {"strategy", "allocated"},
		{"total", object{{"erlang", n.MemoryUsed}, {"rss", n.MemoryUsed}, {"allocated", n.MemoryUsed}}},
	}
}

func (c *call) nodeMemory() error {
	if c.vars["node"] != c.srv.node() {
		return missing()
	}
	return c.answer(object{{"memory", c.nodeRow().breakdown()}})
}

// nodeMemoryShares gives the parts in per cent.
func (c *call) nodeMemoryShares() error {
	if c.vars["node"] != c.srv.node() {
		return missing()
	}
	n := c.nodeRow()
	shares := object{{"total", 100}}
	for _, part := range n.breakdown() {
		if octets, ok := part.value.(int64); ok {
			shares = append(shares, field{part.name, octets * 100 / max(n.MemoryUsed, 1)})
		}
	}
	return c.answer(object{{"memory", shares}})
}
