package mgmt

import "slices"

// feature is a feature flag of RabbitMQ. All are part of Leveret and cannot be
// off; clients ask for some of them by name.
type feature struct{ name, description, page, owner string }

const (
	core  = "rabbit"
	agent = "rabbitmq_management_agent"
)

var features = []feature{ // read-only
	{"classic_mirrored_queue_version", "Versions of replicated classic queues", "", core},
	{"classic_queue_type_delivery_support", "Common delivery protocol of queue types", "", core},
	{"direct_exchange_routing_v2", "Fast routing by direct exchanges", "", core},
	{"drop_unroutable_metric", "Unroutable messages that are dropped are counted", "", agent},
	{"empty_basic_get_metric", "Gets from empty queues are counted", "", agent},
	{"feature_flags_v2", "Feature flags, second version", "", core},
	{"implicit_default_bindings", "Bindings of the default exchange are not stored", "", core},
	{"listener_records_in_ets", "Listeners are known without the metadata store", "", core},
	{"maintenance_mode_status", "Nodes tell whether they are in maintenance", "", core},
	{"quorum_queue", "Queues of type quorum", "https://www.rabbitmq.com/quorum-queues.html", core},
	{"stream_queue", "Queues of type stream", "https://www.rabbitmq.com/stream.html", core},
	{"stream_sac_coordinator_unblock_group", "Groups of stream consumers go on when one is stuck", "", core},
	{"stream_single_active_consumer", "Single active consumers of streams", "https://www.rabbitmq.com/stream.html", core},
	{"tracking_records_in_ets", "Connections are known without the metadata store", "", core},
	{"user_limits", "Limits of connections and channels by user", "", core},
	{"virtual_host_metadata", "Descriptions and tags of virtual hosts", "", core},
}

var featureColumns = []column[feature]{ // read-only
	{"name", func(f feature) any { return f.name }},
	{"desc", func(f feature) any { return f.description }},
	{"doc_url", func(f feature) any { return f.page }},
	{"state", func(feature) any { return "enabled" }},
	{"stability", func(feature) any { return "stable" }},
	{"provided_by", func(f feature) any { return f.owner }},
}

func (c *call) features() error { return rows(c, featureColumns, slices.Clone(features)) }

func (c *call) enableFeature() error {
	if !slices.ContainsFunc(features, func(f feature) bool { return f.name == c.vars["name"] }) {
		return badRequest("unsupported")
	}
	return c.done()
}

// deprecated lists what RabbitMQ 4 deprecates: here nothing is.
func (c *call) deprecated() error { return c.answer(list{}) }

// extensions are the scripts of RabbitMQ's UI.
func (c *call) extensions() error { return c.answer(list{object{{"javascript", "dispatcher.js"}}}) }
