package broker

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/leveretmq/leveret/broker/meta"
)

// Definitions are what an operator keeps of a node, with RabbitMQ's names; they
// are written as JSON. Those of one virtual host have no users, virtual hosts,
// permissions and global parameters, and only parameters and policies name it.
type Definitions struct {
	RabbitVersion    string              `json:"rabbit_version"`
	RabbitMQVersion  string              `json:"rabbitmq_version,omitempty"`
	ProductName      string              `json:"product_name,omitempty"`
	ProductVersion   string              `json:"product_version,omitempty"`
	Users            []DefinedUser       `json:"users,omitzero"`
	VHosts           []DefinedVHost      `json:"vhosts,omitzero"`
	Permissions      []DefinedPermission `json:"permissions,omitzero"`
	TopicPermissions []DefinedTopic      `json:"topic_permissions,omitzero"`
	Parameters       []DefinedParameter  `json:"parameters"`
	GlobalParameters []DefinedGlobal     `json:"global_parameters,omitzero"`
	Policies         []DefinedPolicy     `json:"policies"`
	Queues           []DefinedQueue      `json:"queues"`
	Exchanges        []DefinedExchange   `json:"exchanges"`
	Bindings         []DefinedBinding    `json:"bindings"`
}

// DefinedUser is a user in definitions.
type DefinedUser struct {
	Name         string      `json:"name"`
	PasswordHash string      `json:"password_hash"`
	Algorithm    string      `json:"hashing_algorithm"`
	Tags         []string    `json:"tags"`
	Limits       meta.Limits `json:"limits"`
}

// DefinedVHost is a virtual host in definitions; its limits are a parameter.
type DefinedVHost struct {
	Name             string   `json:"name"`
	Description      string   `json:"description"`
	Tags             []string `json:"tags"`
	DefaultQueueType string   `json:"default_queue_type,omitempty"`
	Tracing          bool     `json:"tracing,omitempty"`
	Protected        bool     `json:"protected_from_deletion,omitempty"`
}

// DefinedPermission is a permission in definitions.
type DefinedPermission struct {
	User      string `json:"user"`
	VHost     string `json:"vhost"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// DefinedTopic is a topic permission in definitions.
type DefinedTopic struct {
	User     string `json:"user"`
	VHost    string `json:"vhost"`
	Exchange string `json:"exchange"`
	Write    string `json:"write"`
	Read     string `json:"read"`
}

// DefinedParameter is a runtime parameter in definitions.
type DefinedParameter struct {
	Value     json.RawMessage `json:"value"`
	VHost     string          `json:"vhost"`
	Component string          `json:"component"`
	Name      string          `json:"name"`
}

// DefinedGlobal is a global parameter in definitions.
type DefinedGlobal struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// DefinedPolicy is a policy in definitions; operator policies are parameters.
type DefinedPolicy struct {
	VHost      string          `json:"vhost,omitempty"`
	Name       string          `json:"name"`
	Pattern    string          `json:"pattern"`
	ApplyTo    string          `json:"apply-to"`
	Definition json.RawMessage `json:"definition"`
	Priority   int64           `json:"priority"`
}

// DefinedQueue is a queue in definitions.
type DefinedQueue struct {
	Name       string          `json:"name"`
	VHost      string          `json:"vhost,omitempty"`
	Durable    bool            `json:"durable"`
	AutoDelete bool            `json:"auto_delete"`
	Arguments  json.RawMessage `json:"arguments"` // an object
}

// DefinedExchange is an exchange in definitions.
type DefinedExchange struct {
	Name       string          `json:"name"`
	VHost      string          `json:"vhost,omitempty"`
	Type       string          `json:"type"`
	Durable    bool            `json:"durable"`
	AutoDelete bool            `json:"auto_delete"`
	Internal   bool            `json:"internal"`
	Arguments  json.RawMessage `json:"arguments"` // an object
}

// DefinedBinding is a binding in definitions.
type DefinedBinding struct {
	Source      string          `json:"source"`
	VHost       string          `json:"vhost,omitempty"`
	Destination string          `json:"destination"`
	Kind        string          `json:"destination_type"` // queue, exchange
	RoutingKey  string          `json:"routing_key"`
	Arguments   json.RawMessage `json:"arguments"` // an object
}

// Export gives the definitions of the whole node. RabbitMQ leaves out exclusive
// queues, predeclared exchanges and the bindings of either.
func (b *Broker) Export() Definitions {
	d := Definitions{RabbitMQVersion: b.level.reported, ProductName: "Leveret", ProductVersion: Version,
		Users: []DefinedUser{}, VHosts: []DefinedVHost{}, Permissions: []DefinedPermission{},
		TopicPermissions: []DefinedTopic{}, GlobalParameters: []DefinedGlobal{}}
	for _, u := range b.Users() {
		d.Users = append(d.Users, DefinedUser{u.Name, u.PasswordHash, u.Algorithm, listed(u.Tags), limited(u.Limits)})
	}
	for _, v := range b.VHosts() {
		d.VHosts = append(d.VHosts, DefinedVHost{v.Name, v.Description, listed(v.Tags), v.DefaultQueueType, v.Tracing, v.Protected})
	}
	for _, p := range b.Permissions() {
		d.Permissions = append(d.Permissions, DefinedPermission(p))
	}
	for _, p := range b.TopicPermissions() {
		d.TopicPermissions = append(d.TopicPermissions, DefinedTopic{p.User, p.VHost, p.Exchange, p.Write, p.Read})
	}
	for _, p := range b.GlobalParameters() {
		d.GlobalParameters = append(d.GlobalParameters, DefinedGlobal(p))
	}
	b.export(&d, "")
	return d
}

// ExportVHost gives the definitions of one virtual host; NotFound when there is
// none of that name.
func (b *Broker) ExportVHost(name string) (Definitions, error) {
	var d Definitions
	if _, err := b.VHost(name); err != nil {
		return d, err
	}
	b.export(&d, name)
	return d, nil
}

// export adds what is in virtual hosts: in one, whose name is left out, or in
// all of them when only is empty.
func (b *Broker) export(d *Definitions, only string) {
	d.RabbitVersion = b.level.reported
	d.Parameters, d.Policies = []DefinedParameter{}, []DefinedPolicy{}
	for _, p := range b.Parameters() {
		if only == "" || p.VHost == only {
			d.Parameters = append(d.Parameters, DefinedParameter{p.Value, p.VHost, p.Component, p.Name})
		}
	}
	for _, p := range b.Policies(false) {
		if only == "" || p.VHost == only {
			d.Policies = append(d.Policies, DefinedPolicy{p.VHost, p.Name, p.Pattern, p.ApplyTo, p.Definition, p.Priority})
		}
	}
	d.Queues, d.Exchanges, d.Bindings = []DefinedQueue{}, []DefinedExchange{}, []DefinedBinding{}
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, q := range b.meta.Queues {
		if (only == "" || q.VHost == only) && !q.Exclusive {
			d.Queues = append(d.Queues, DefinedQueue{q.Name, vhostUnless(only, q.VHost), q.Durable, q.AutoDelete, jsonOfTable(q.Arguments)})
		}
	}
	for n, x := range b.meta.Exchanges {
		if only != "" && x.VHost != only {
			continue
		}
		if !isPredeclared(x.Name) {
			d.Exchanges = append(d.Exchanges, DefinedExchange{x.Name, vhostUnless(only, x.VHost), x.Kind, x.Durable, x.AutoDelete, x.Internal, jsonOfTable(x.Arguments)})
		}
		for _, bd := range b.meta.From(n) {
			if q := b.meta.Queues[meta.Name{VHost: bd.VHost, Name: bd.Dest}]; bd.ToExchange || !q.Exclusive {
				d.Bindings = append(d.Bindings, definedBinding(bd, vhostUnless(only, bd.VHost)))
			}
		}
	}
	d.sort()
}

func definedBinding(bd *meta.Binding, vhost string) DefinedBinding {
	kind := "queue"
	if bd.ToExchange {
		kind = "exchange"
	}
	return DefinedBinding{bd.Source, vhost, bd.Dest, kind, bd.Key, jsonOfTable(bd.Arguments)}
}

func vhostUnless(only, vhost string) string {
	if only != "" {
		return ""
	}
	return vhost
}

// isPredeclared: what begins with amq. is not exported (RabbitMQ).
func isPredeclared(exchange string) bool {
	return exchange == "" || strings.HasPrefix(exchange, "amq.")
}

// listed and limited are never null.
func listed(tags []string) []string { return append([]string{}, tags...) }

func limited(l meta.Limits) meta.Limits {
	if l == nil {
		return meta.Limits{}
	}
	return l
}

// sort makes two exports of the same node equal.
func (d *Definitions) sort() {
	slices.SortFunc(d.Parameters, func(x, y DefinedParameter) int {
		return cmp.Or(strings.Compare(x.Component, y.Component), strings.Compare(x.VHost, y.VHost), strings.Compare(x.Name, y.Name))
	})
	slices.SortFunc(d.Queues, func(x, y DefinedQueue) int {
		return cmp.Or(strings.Compare(x.VHost, y.VHost), strings.Compare(x.Name, y.Name))
	})
	slices.SortFunc(d.Exchanges, func(x, y DefinedExchange) int {
		return cmp.Or(strings.Compare(x.VHost, y.VHost), strings.Compare(x.Name, y.Name))
	})
	slices.SortFunc(d.Bindings, func(x, y DefinedBinding) int {
		return cmp.Or(strings.Compare(x.VHost, y.VHost), strings.Compare(x.Source, y.Source), strings.Compare(x.Kind, y.Kind),
			strings.Compare(x.Destination, y.Destination), strings.Compare(x.RoutingKey, y.RoutingKey),
			strings.Compare(string(x.Arguments), string(y.Arguments)))
	})
}
