package mgmt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/leveretmq/leveret/broker"
)

// loginForDownload lets browsers download: the query may carry what the header
// would (RabbitMQ).
func (c *call) loginForDownload() error {
	if auth := c.query.Get("auth"); auth != "" && c.r.Header.Get("Authorization") == "" {
		return c.credentials(auth)
	}
	return c.login()
}

func (c *call) definitions() error {
	if err := c.loginForDownload(); err != nil {
		return err
	}
	if err := c.admit(admin); err != nil {
		return err
	}
	return c.export(c.broker().Export())
}

func (c *call) vhostDefinitions() error {
	if err := c.loginForDownload(); err != nil {
		return err
	}
	if err := c.admit(admin); err != nil {
		return err
	}
	d, err := c.broker().ExportVHost(c.vhost())
	if err != nil {
		return badRequest("vhost_not_found")
	}
	return c.export(d)
}

// export answers with definitions, of which the query may pick sections.
func (c *call) export(d broker.Definitions) error {
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	sections := body{}
	if err := json.Unmarshal(raw, &sections); err != nil {
		return err
	}
	var o object
	for _, name := range definitionSections {
		if raw, ok := sections[name]; ok {
			o = append(o, field{name, raw})
		}
	}
	if name := c.query.Get("download"); name != "" {
		c.w.Header().Set("Content-Disposition", "attachment; filename="+mime.QEncoding.Encode("utf-8", strings.Map(plain, name)))
	}
	return row(c, objectColumns(o), o)
}

// plain leaves out what must not be in a file's name.
func plain(r rune) rune {
	if r < ' ' || strings.ContainsRune(`"\/;,`, r) {
		return -1
	}
	return r
}

// definitionSections are in RabbitMQ's order.
var definitionSections = []string{ // read-only
	"rabbit_version", "rabbitmq_version", "product_name", "product_version", "users", "vhosts", "permissions", "topic_permissions",
	"parameters", "global_parameters", "policies", "queues", "exchanges", "bindings",
}

func (c *call) importDefinitions() error {
	raw, err := c.upload()
	if err != nil {
		return err
	}
	_, err = c.broker().Import(c.r.Context(), raw)
	return c.imported(err)
}

func (c *call) importVHostDefinitions() error {
	raw, err := c.upload()
	if err != nil {
		return err
	}
	if err := c.inside(); err != nil {
		return err
	}
	_, err = c.broker().ImportVHost(c.r.Context(), c.vhost(), raw)
	return c.imported(err)
}

// imported answers an import. What it misses is wrong with the definitions.
func (c *call) imported(err error) error {
	var e *broker.Error
	if errors.As(err, &e) && e.Kind == broker.NotFound && e.Code != "" {
		return badRequest(list{e.Code, e.Subject})
	}
	return c.deleted(err)
}

// upload is the body, or the field "file" of a form.
func (c *call) upload() (json.RawMessage, error) {
	kind, options, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		raw, err := c.readAll()
		if err == nil && !json.Valid(raw) {
			err = badRequest("failed_to_parse_json")
		}
		return raw, err
	}
	form := multipart.NewReader(c.r.Body, options["boundary"])
	for {
		part, err := form.NextPart()
		if err != nil {
			return nil, uploadProblem(err)
		}
		if part.FormName() != "file" {
			continue
		}
		raw, err := io.ReadAll(part)
		if err != nil {
			return nil, uploadProblem(err)
		}
		if !json.Valid(raw) {
			return nil, badRequest("failed_to_parse_json")
		}
		return raw, nil
	}
}

func uploadProblem(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return badRequest(fmt.Sprintf("the form has no field \"file\": %v", err))
}
