package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/leveretmq/leveret/broker/meta"
)

// ImportReport says what an import has brought, and what it has kept without
// effect or left out.
type ImportReport struct {
	Imported map[string]int  `json:"imported"` // by section
	Warnings []ImportWarning `json:"warnings"`
}

// ImportWarning is about one definition.
type ImportWarning struct {
	Section string `json:"section"`
	VHost   string `json:"vhost,omitempty"`
	Name    string `json:"name"`
	Text    string `json:"text"`
}

// Import takes definitions over, as RabbitMQ 3.10 to 4.3 and Export write them:
// all of them, or none with an Error when one is wrong. What exists is changed,
// but for queues and exchanges, which stay as they are. Parameters, policy keys
// and exchange types that are not known are kept, exported again and reported.
func (b *Broker) Import(ctx context.Context, definitions json.RawMessage) (ImportReport, error) {
	return b.importAll(ctx, "", definitions)
}

// ImportVHost is Import of what one virtual host holds: other sections are left
// out, and what the parts say of their virtual host is not looked at.
func (b *Broker) ImportVHost(ctx context.Context, vhost string, definitions json.RawMessage) (ImportReport, error) {
	if _, err := b.VHost(vhost); err != nil {
		return ImportReport{}, err
	}
	return b.importAll(ctx, vhost, definitions)
}

// LastImport is the report of the last import that was made.
func (b *Broker) LastImport() ImportReport {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.imported
}

func (b *Broker) importAll(ctx context.Context, only string, definitions json.RawMessage) (ImportReport, error) {
	i := importer{b: b, only: only, vhosts: map[string]meta.VHost{}, newVHosts: map[string]bool{}, users: map[string]meta.User{}}
	i.report = ImportReport{Imported: map[string]int{}, Warnings: []ImportWarning{}}
	var doc map[string]json.RawMessage
	if json.Unmarshal(definitions, &doc) != nil {
		return ImportReport{}, invalid("failed_to_parse_json")
	}
	err := b.administer(ctx, func() ([]meta.Change, error) {
		if err := i.check(doc); err != nil {
			return nil, err
		}
		cs := i.apply()
		b.imported = i.report
		return cs, nil
	})
	if err != nil {
		return ImportReport{}, err
	}
	return i.report, nil
}

// importer reads and checks all sections against what there is and what comes,
// and then makes it; Broker.mu is held all the while.
type importer struct {
	b         *Broker
	only      string // the virtual host; empty: all
	oldHashes bool   // hashes without an algorithm are MD5
	report    ImportReport

	vhosts     map[string]meta.VHost
	newVHosts  map[string]bool
	users      map[string]meta.User
	permission []meta.Permission
	topics     []meta.TopicPermission
	parameters []meta.Parameter
	globals    []meta.GlobalParameter
	policies   []meta.Policy
	queues     []meta.Queue
	exchanges  []meta.Exchange
	bindings   []meta.Binding
}

// sections are read in RabbitMQ's order; whole says that only the import of a
// whole node has one; read-only.
var sections = []struct {
	name  string
	whole bool
	read  func(*importer, json.RawMessage) error
}{
	{"vhosts", true, (*importer).readVHost},
	{"users", true, (*importer).readUser},
	{"permissions", true, (*importer).readPermission},
	{"topic_permissions", true, (*importer).readTopic},
	{"parameters", false, (*importer).readParameter},
	{"global_parameters", true, (*importer).readGlobal},
	{"policies", false, (*importer).readPolicy},
	{"exchanges", false, (*importer).readExchange},
	{"queues", false, (*importer).readQueue},
	{"bindings", false, (*importer).readBinding},
}

func (i *importer) check(doc map[string]json.RawMessage) error {
	i.oldHashes = madeBefore36(doc)
	for _, s := range sections {
		raw, ok := doc[s.name]
		if !ok || s.whole && i.only != "" {
			continue
		}
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			return invalid("%s must be a list", s.name)
		}
		for _, item := range items {
			if err := s.read(i, item); err != nil {
				return err
			}
			i.report.Imported[s.name]++
		}
	}
	return i.checkQueueLimits()
}

// madeBefore36: until 3.6 RabbitMQ had one way to hash passwords.
func madeBefore36(doc map[string]json.RawMessage) bool {
	var version string
	if json.Unmarshal(doc["rabbit_version"], &version) != nil {
		return false
	}
	var major, minor int
	n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return n == 2 && (major < 3 || major == 3 && minor < 6)
}

func (i *importer) warn(section, vhost, name, format string, args ...any) {
	w := ImportWarning{section, vhost, name, fmt.Sprintf(format, args...)}
	i.report.Warnings = append(i.report.Warnings, w)
	i.b.opt.Logger.Warn("definitions: "+w.Text, "section", section, "vhost", vhost, "name", name)
}

// unpack reads an item of a section into v; required are the keys it must have.
func unpack(section string, item json.RawMessage, v any, keys ...string) error {
	m, ok := decodeObject(item)
	if !ok {
		return invalid("%s: not an object", section)
	}
	if err := required(m, keys...); err != nil {
		return err
	}
	if err := json.Unmarshal(item, v); err != nil {
		return invalid("%s: %s", section, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// known gives the error of a virtual host that is neither there nor comes.
func (i *importer) known(vhost string) error {
	if _, coming := i.vhosts[vhost]; !coming && i.b.meta.VHosts[vhost] == nil {
		return missingVHost(vhost)
	}
	return nil
}

// within replaces the virtual host of an import of one only, and checks it.
func (i *importer) within(vhost *string) error {
	if i.only != "" {
		*vhost = i.only
	}
	return i.known(*vhost)
}

func (i *importer) knownUser(user string) error {
	if _, coming := i.users[user]; !coming && i.b.meta.Users[user] == nil {
		return missingUser(user)
	}
	return nil
}
