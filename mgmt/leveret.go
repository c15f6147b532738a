package mgmt

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"

	"github.com/leveretmq/leveret/broker"
)

// The endpoints below /api/leveret are ours.

// route tells where a message would go, without one.
func (c *call) route() error {
	b, err := c.object()
	if err != nil {
		return err
	}
	key, err := b.text("routing_key")
	if err != nil {
		return err
	}
	headers, err := b.table("headers")
	if err != nil {
		return err
	}
	if len(key) > nameMost {
		return badRequest("routing_key is longer than 255 octets")
	}
	queues, exchanges, ok := c.broker().Route(c.vhost(), c.exchangeName(), key, headers)
	if !ok {
		return missing()
	}
	return c.answer(object{{"queues", queues}, {"exchanges", exchanges}})
}

// importReport tells what the last import of definitions brought.
func (c *call) importReport() error {
	raw, err := json.Marshal(c.broker().LastImport())
	if err != nil {
		return err
	}
	return c.answer(json.RawMessage(raw))
}

// openAPI describes every route.
func (c *call) openAPI() error {
	paths := object{}
	for _, e := range c.srv.endpoints {
		paths = append(paths, field{e.path, e.described()})
	}
	return c.answer(object{
		{"openapi", "3.1.0"},
		{"info", object{{"title", "Leveret's management API"}, {"version", broker.Version},
			{"description", "The API of RabbitMQ's management plugin, and what is ours below /api/leveret. Lists take page, page_size, name, use_regex, sort, sort_reverse and columns."}}},
		{"security", list{object{{"basic", list{}}}}},
		{"paths", paths},
		{"components", object{
			{"securitySchemes", object{{"basic", object{{"type", "http"}, {"scheme", "basic"}}}}},
			{"schemas", object{{"problem", object{{"type", "object"}, {"required", list{"error", "reason"}},
				{"properties", object{{"error", object{{"type", "string"}}}, {"reason", object{}}}}}}}},
		}},
	})
}

var pathVariable = regexp.MustCompile(`\{(\w+)\}`)

// described is the path item of an endpoint.
func (e *endpoint) described() object {
	o := object{}
	var parameters list
	for _, name := range pathVariable.FindAllStringSubmatch(e.path, -1) {
		parameters = append(parameters, object{{"name", name[1]}, {"in", "path"}, {"required", true}, {"schema", object{{"type", "string"}}}})
	}
	if parameters != nil {
		o = append(o, field{"parameters", parameters})
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
		if r, ok := e.methods[method]; ok {
			o = append(o, field{strings.ToLower(method), r.described()})
		}
	}
	return o
}

// described is the operation of a route.
func (r *route) described() object {
	o := object{{"operationId", strings.ToLower(r.method) + strings.NewReplacer("/", "_", "{", "", "}", "", "-", "_", ".", "_").Replace(strings.TrimPrefix(r.path, "/api"))}}
	if r.right == nobody {
		o = append(o, field{"security", list{}})
	}
	if r.method == http.MethodPut || r.method == http.MethodPost {
		o = append(o, field{"requestBody", object{{"content", object{{"application/json", object{}}}}}})
	}
	answers := object{}
	for _, status := range map[string][]string{
		http.MethodGet: {"200"}, http.MethodPut: {"201", "204"}, http.MethodPost: {"200", "201", "204"}, http.MethodDelete: {"204"},
	}[r.method] {
		answers = append(answers, field{status, object{{"description", "done"}}})
	}
	problem := object{{"description", "refused; the reason says why"}, {"content", object{{"application/json", object{{"schema", object{{"$ref", "#/components/schemas/problem"}}}}}}}}
	return append(o, field{"responses", append(answers, field{"400", problem}, field{"401", problem}, field{"404", problem}, field{"default", problem})})
}
