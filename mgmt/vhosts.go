package mgmt

import (
	"encoding/json"
	"slices"

	"github.com/leveretmq/leveret/broker"
	"github.com/leveretmq/leveret/broker/meta"
)

// vhostRow is a virtual host as it is listed.
type vhostRow struct {
	meta.VHost
	past past
	node string
}

var vhostColumns = []column[*vhostRow]{ // read-only
	{"name", func(v *vhostRow) any { return v.Name }},
	{"description", func(v *vhostRow) any { return v.Description }},
	{"tags", func(v *vhostRow) any { return v.Tags }},
	{"default_queue_type", func(v *vhostRow) any { return queueType(v.DefaultQueueType) }},
	{"metadata", func(v *vhostRow) any { return v.metadata() }},
	{"tracing", func(v *vhostRow) any { return v.Tracing }},
	{"cluster_state", func(v *vhostRow) any { return object{{v.node, "running"}} }},
	{"messages", func(v *vhostRow) any { return v.past.now.sum([]int{ofReady, ofUnacked}) }},
	{"messages_details", func(v *vhostRow) any { return v.past.details(v.past.ages.lengths, ofReady, ofUnacked) }},
	{"messages_ready", func(v *vhostRow) any { return v.past.now[ofReady] }},
	{"messages_ready_details", func(v *vhostRow) any { return v.past.details(v.past.ages.lengths, ofReady) }},
	{"messages_unacknowledged", func(v *vhostRow) any { return v.past.now[ofUnacked] }},
	{"messages_unacknowledged_details", func(v *vhostRow) any { return v.past.details(v.past.ages.lengths, ofUnacked) }},
	{"message_stats", func(v *vhostRow) any { return v.past.stats(v.past.ages.messages, publishStats, deliverStats) }},
	{"recv_oct", func(v *vhostRow) any { return v.past.now[ofReceived] }},
	{"recv_oct_details", func(v *vhostRow) any { return v.past.details(v.past.ages.data, ofReceived) }},
	{"send_oct", func(v *vhostRow) any { return v.past.now[ofSent] }},
	{"send_oct_details", func(v *vhostRow) any { return v.past.details(v.past.ages.data, ofSent) }},
}

// queueType is RabbitMQ's word for what is not set.
func queueType(name string) string {
	if name == "" {
		return "undefined"
	}
	return name
}

func (v *vhostRow) metadata() object {
	o := object{{"description", v.Description}, {"tags", v.Tags}}
	if v.DefaultQueueType != "" {
		o = append(o, field{"default_queue_type", v.DefaultQueueType})
	}
	return o
}

func (c *call) vhostRows(all []meta.VHost) []*vhostRow {
	ages := agesOf(c.query)
	_, traffic := c.broker().Traffic()
	octets := map[string]*vector{}
	for _, conn := range c.srv.opt.AMQP.Connections() {
		v := connectionVector(&conn)
		addOctets(octets, conn.VHost, &v)
	}
	out := make([]*vhostRow, len(all))
	for i := range all {
		t := traffic[all[i].Name]
		v := trafficVector(&t)
		if o := octets[all[i].Name]; o != nil {
			v[ofReceived], v[ofSent] = o[ofReceived], o[ofSent]
		}
		out[i] = &vhostRow{all[i], c.srv.samples.past(series{aVHost, 0, all[i].Name}, v, ages), c.srv.node()}
	}
	return out
}

func (c *call) vhosts() error {
	all := c.broker().VHosts()
	if !c.isMonitor() {
		all = slices.DeleteFunc(all, func(v meta.VHost) bool { return !c.permitted(v.Name) })
	}
	return rows(c, vhostColumns, c.vhostRows(all))
}

func (c *call) oneVHost() error {
	v, err := c.broker().VHost(c.vhost())
	if err != nil {
		return err
	}
	return row(c, vhostColumns, c.vhostRows([]meta.VHost{v})[0])
}

// putVHost makes or changes a virtual host; who made it may do everything in
// it at once (RabbitMQ).
func (c *call) putVHost() error {
	o, err := c.vhostOptions()
	if err != nil {
		return err
	}
	created, err := c.broker().PutVHost(c.r.Context(), o)
	if err == nil && created {
		_, err = c.broker().PutPermission(c.r.Context(),
			meta.Permission{User: c.user.Name(), VHost: o.Name, Configure: ".*", Write: ".*", Read: ".*"})
	}
	return c.put(created, err)
}

func (c *call) vhostOptions() (o broker.VHostOptions, err error) {
	b, err := c.object()
	if err != nil {
		return o, err
	}
	o.Name, o.Tags = c.vhost(), []string{}
	if o.Description, err = b.text("description"); err != nil {
		return o, err
	}
	if raw, ok := b["tags"]; ok {
		if o.Tags, err = tags(raw); err != nil {
			return o, err
		}
	}
	if _, ok := b["default_queue_type"]; ok {
		kind, err := b.text("default_queue_type")
		if err != nil {
			return o, err
		}
		o.DefaultQueueType = &kind
	}
	if _, ok := b["tracing"]; ok {
		on, err := b.flag("tracing")
		if err != nil {
			return o, err
		}
		o.Tracing = &on
	}
	return o, nil
}

func (c *call) deleteVHost() error {
	return c.deleted(c.broker().DeleteVHost(c.r.Context(), c.vhost()))
}

// startVHost would start a virtual host on a node; here they all run.
func (c *call) startVHost() error {
	node := c.vars["node"]
	if _, err := c.broker().VHost(c.vhost()); err != nil {
		name, _ := json.Marshal(c.vhost()) // a text always encodes
		return badRequest("Request to node " + node + " failed with {no_such_vhost,<<" + string(name) + ">>}")
	}
	if node != c.srv.node() {
		return missing()
	}
	return c.done()
}
