package broker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker/meta"
	"github.com/leveretmq/leveret/exchange"
	"github.com/leveretmq/leveret/queue"
)

// tags are a list, or words between commas.
type tags []string

// UnmarshalJSON reads either.
func (t *tags) UnmarshalJSON(raw []byte) error {
	var words string
	if json.Unmarshal(raw, &words) != nil {
		return json.Unmarshal(raw, (*[]string)(t))
	}
	*t = nil
	for _, w := range strings.Split(words, ",") {
		if w = strings.TrimSpace(w); w != "" {
			*t = append(*t, w)
		}
	}
	return nil
}

// vhostBody is a virtual host as JSON has it. Later versions of RabbitMQ have
// its details in metadata.
type vhostBody struct {
	Description      *string `json:"description"`
	Tags             *tags   `json:"tags"`
	DefaultQueueType *string `json:"default_queue_type"`
	Tracing          *bool   `json:"tracing"`
	Protected        *bool   `json:"protected_from_deletion"`
}

// ParseVHost reads the body that the management API takes for a virtual host.
func ParseVHost(name string, body json.RawMessage) (VHostOptions, error) {
	var v vhostBody
	if err := unpack("vhosts", body, &v); err != nil {
		return VHostOptions{}, err
	}
	o := VHostOptions{Name: name, DefaultQueueType: v.DefaultQueueType, Tracing: v.Tracing, Protected: v.Protected}
	if v.Description != nil {
		o.Description = *v.Description
	}
	if v.Tags != nil {
		o.Tags = *v.Tags
	}
	return o, nil
}

// readVHost changes only what the definition speaks of: RabbitMQ's exports do
// not have all of it.
func (i *importer) readVHost(item json.RawMessage) error {
	var body struct {
		Name string `json:"name"`
		vhostBody
		Metadata vhostBody `json:"metadata"`
	}
	if err := unpack("vhosts", item, &body, "name"); err != nil {
		return err
	}
	if err := checkNames(body.Name); err != nil {
		return err
	}
	def := meta.VHost{Name: body.Name}
	if old := i.b.meta.VHosts[body.Name]; old != nil {
		def = *old
	}
	for _, v := range []vhostBody{body.Metadata, body.vhostBody} {
		if v.Description != nil {
			def.Description = *v.Description
		}
		if v.Tags != nil {
			def.Tags = *v.Tags
		}
		if v.DefaultQueueType != nil {
			def.DefaultQueueType = *v.DefaultQueueType
		}
		if v.Tracing != nil {
			def.Tracing = *v.Tracing
		}
		if v.Protected != nil {
			def.Protected = *v.Protected
		}
	}
	i.vhosts[body.Name] = def
	if old := i.b.meta.VHosts[body.Name]; old == nil {
		i.newVHosts[body.Name] = true
		if err := i.b.overVHosts(body.Name, len(i.newVHosts)-1); err != nil {
			return err
		}
	}
	return checkQueueType(def.DefaultQueueType)
}

// ParseUser reads the body that the management API takes for a user. Tags are a
// list or words between commas, and have to be there (RabbitMQ).
func ParseUser(name string, body json.RawMessage) (UserOptions, error) {
	var u struct {
		Password     *string         `json:"password"`
		PasswordHash *string         `json:"password_hash"`
		Algorithm    string          `json:"hashing_algorithm"`
		Tags         *tags           `json:"tags"`
		Limits       json.RawMessage `json:"limits"`
	}
	if err := unpack("users", body, &u); err != nil {
		return UserOptions{}, err
	}
	if u.Tags == nil {
		return UserOptions{}, &Error{Invalid, "tags_not_present", name, "tags_not_present"}
	}
	return UserOptions{Name: name, Password: u.Password, PasswordHash: u.PasswordHash, Algorithm: u.Algorithm, Tags: *u.Tags, Limits: u.Limits}, nil
}

func (i *importer) readUser(item json.RawMessage) error {
	var body struct {
		Name string `json:"name"`
	}
	if err := unpack("users", item, &body, "name"); err != nil {
		return err
	}
	o, err := ParseUser(body.Name, item)
	if err != nil {
		return err
	}
	if o.Algorithm == "" && i.oldHashes {
		o.Algorithm = meta.MD5
	}
	def, err := i.b.makeUser(o)
	if err != nil {
		return err
	}
	switch def.Algorithm {
	case meta.SHA256, meta.SHA512, meta.MD5:
	default:
		i.warn("users", "", def.Name, "passwords hashed by %s do not log in", def.Algorithm)
	}
	i.users[def.Name] = def
	return nil
}

func (i *importer) readPermission(item json.RawMessage) error {
	var p DefinedPermission
	if err := unpack("permissions", item, &p, "user", "vhost", "configure", "write", "read"); err != nil {
		return err
	}
	i.permission = append(i.permission, meta.Permission(p))
	return i.mayBeGiven(p.User, p.VHost, p.Configure, p.Write, p.Read)
}

func (i *importer) mayBeGiven(user, vhost string, patterns ...string) error {
	if err := i.knownUser(user); err != nil {
		return err
	}
	if err := i.known(vhost); err != nil {
		return err
	}
	return checkPatterns(patterns)
}

func (i *importer) readTopic(item json.RawMessage) error {
	var p DefinedTopic
	if err := unpack("topic_permissions", item, &p, "user", "vhost", "exchange", "write", "read"); err != nil {
		return err
	}
	if err := checkLengths(p.Exchange); err != nil {
		return err
	}
	i.topics = append(i.topics, meta.TopicPermission{User: p.User, VHost: p.VHost, Exchange: p.Exchange, Write: p.Write, Read: p.Read})
	return i.mayBeGiven(p.User, p.VHost, p.Write, p.Read)
}

func (i *importer) readParameter(item json.RawMessage) error {
	var p DefinedParameter
	if err := unpack("parameters", item, &p, "component", "name", "value"); err != nil {
		return err
	}
	if err := cmp.Or(checkNames(p.Component, p.Name), i.within(&p.VHost)); err != nil {
		return err
	}
	switch p.Component {
	case componentLimits:
		return i.readLimits(p)
	case componentPolicy, componentOperatorPolicy:
		n := meta.PolicyName{Operator: p.Component == componentOperatorPolicy, VHost: p.VHost, Name: p.Name}
		return i.takePolicy("parameters", n, p.VHost+"/"+p.Component+"/"+p.Name, p.Value)
	}
	i.warn("parameters", p.VHost, p.Name, "component %s is kept and does nothing", p.Component)
	value, _ := canonicalJSON(p.Value)
	i.parameters = append(i.parameters, meta.Parameter{ParameterName: meta.ParameterName{Component: p.Component, VHost: p.VHost, Name: p.Name}, Value: value})
	return nil
}

func (i *importer) readLimits(p DefinedParameter) error {
	limits, err := vhostLimits.parse(p.Value)
	if err != nil {
		return behind(err, p.VHost+"/"+p.Component+"/"+p.Name)
	}
	def, coming := i.vhosts[p.VHost]
	if !coming {
		def = *i.b.meta.VHosts[p.VHost]
	}
	def.Limits = limits
	i.vhosts[p.VHost] = def
	return nil
}

// behind names the definition behind the text of its error (RabbitMQ).
func behind(err error, name string) error { return invalid("%s (%s)", err.Error(), name) }

func (i *importer) readGlobal(item json.RawMessage) error {
	var p DefinedGlobal
	if err := unpack("global_parameters", item, &p, "name", "value"); err != nil {
		return err
	}
	if err := checkNames(p.Name); err != nil {
		return err
	}
	value, _ := canonicalJSON(p.Value)
	i.globals = append(i.globals, meta.GlobalParameter{Name: p.Name, Value: value})
	return nil
}

func (i *importer) readPolicy(item json.RawMessage) error {
	var p struct {
		VHost string `json:"vhost"`
		Name  string `json:"name"`
	}
	if err := unpack("policies", item, &p, "name"); err != nil {
		return err
	}
	if err := i.within(&p.VHost); err != nil {
		return err
	}
	return i.takePolicy("policies", meta.PolicyName{VHost: p.VHost, Name: p.Name}, p.VHost+"/"+p.Name, item)
}

func (i *importer) takePolicy(section string, n meta.PolicyName, place string, body json.RawMessage) error {
	p, unknown, err := i.b.readPolicy(n, body)
	if err != nil {
		return behind(err, place)
	}
	if unknown != "" {
		i.warn(section, n.VHost, n.Name, "%s are not recognised policy settings: they are kept and do nothing", unknown)
	}
	i.policies = append(i.policies, p)
	return nil
}

func (i *importer) readExchange(item json.RawMessage) error {
	var x DefinedExchange
	if err := unpack("exchanges", item, &x, "name", "type"); err != nil {
		return err
	}
	if err := cmp.Or(checkLengths(x.Name, x.Type), i.within(&x.VHost)); err != nil || x.Name == "" {
		return err
	}
	args, err := arguments(x.Arguments)
	if err != nil {
		return err
	}
	def := meta.Exchange{VHost: x.VHost, Name: x.Name, Kind: x.Type, Durable: x.Durable, AutoDelete: x.AutoDelete, Internal: x.Internal, Arguments: args}
	old := i.b.meta.Exchanges[meta.Name{VHost: x.VHost, Name: x.Name}]
	switch {
	case old != nil && (old.Kind != def.Kind || old.Durable != def.Durable || old.AutoDelete != def.AutoDelete || old.Internal != def.Internal):
		i.warn("exchanges", x.VHost, x.Name, "exists with other properties and stays as it is")
	case old == nil && !exchange.Known(x.Type):
		i.warn("exchanges", x.VHost, x.Name, "exchange type %s is not known: it is kept and routes nothing", x.Type)
	}
	i.exchanges = append(i.exchanges, def)
	return nil
}

func (i *importer) readQueue(item json.RawMessage) error {
	var q struct {
		DefinedQueue
		Type string `json:"type"`
	}
	if err := unpack("queues", item, &q, "name"); err != nil {
		return err
	}
	if err := cmp.Or(checkNames(q.Name), i.within(&q.VHost)); err != nil {
		return err
	}
	args, err := arguments(q.Arguments)
	if err != nil {
		return err
	}
	if _, given := args.Get("x-queue-type"); !given && q.Type != "" && q.Type != "classic" {
		args = append(args, wire.Field{Name: "x-queue-type", Value: q.Type})
	}
	if _, err := queue.ParseArguments(q.VHost, q.Name, args); err != nil {
		return invalid("%s", textOf(err))
	}
	i.queues = append(i.queues, meta.Queue{VHost: q.VHost, Name: q.Name, Durable: q.Durable, AutoDelete: q.AutoDelete, Arguments: args})
	return nil
}

func (i *importer) readBinding(item json.RawMessage) error {
	var bd DefinedBinding
	if err := unpack("bindings", item, &bd, "source", "destination", "destination_type", "routing_key"); err != nil {
		return err
	}
	if err := cmp.Or(checkLengths(bd.Source, bd.Destination, bd.RoutingKey), i.within(&bd.VHost)); err != nil || bd.Source == "" {
		return err
	}
	if bd.Kind != "queue" && bd.Kind != "exchange" {
		return invalid("bindings: destination_type '%s' is neither queue nor exchange", bd.Kind)
	}
	args, err := arguments(bd.Arguments)
	if err != nil {
		return err
	}
	i.bindings = append(i.bindings, meta.Binding{VHost: bd.VHost, Source: bd.Source, Dest: bd.Destination, Key: bd.RoutingKey,
		ToExchange: bd.Kind == "exchange", Arguments: args})
	return nil
}

// checkQueueLimits refuses more queues than a virtual host may have.
func (i *importer) checkQueueLimits() error {
	more := map[string]map[string]bool{}
	for _, q := range i.queues {
		if i.b.meta.Queues[meta.Name{VHost: q.VHost, Name: q.Name}] != nil {
			continue
		}
		if more[q.VHost] == nil {
			more[q.VHost] = map[string]bool{}
		}
		more[q.VHost][q.Name] = true
	}
	for vhost, names := range more {
		def, coming := i.vhosts[vhost]
		if !coming {
			def = *i.b.meta.VHosts[vhost]
		}
		have := 0
		if v := i.b.vhosts[vhost]; v != nil {
			have = len(v.queues)
		}
		if limit, ok := def.Limits.Of("max-queues"); ok && int64(have+len(names)) > limit {
			return &Error{Invalid, "vhost_limit_exceeded", vhost, fmt.Sprintf("Adding %d queue(s) to virtual host \"%s\" would exceed the limit of %d queue(s)."+
				"\n\nThis virtual host currently has %d queue(s) defined.\n\nImport aborted!", len(names), vhost, limit, have)}
		}
	}
	return nil
}
