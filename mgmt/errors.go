package mgmt

import (
	"errors"
	"net/http"

	"github.com/leveretmq/leveret/amqp/wire"
	"github.com/leveretmq/leveret/broker"
)

// problem is an answer that is not the one asked for: RabbitMQ's
// {"error":..,"reason":..}. Without kind it has no body.
type problem struct {
	status int
	kind   string
	reason any
}

// Error makes a problem an error; clients get the JSON form.
func (p *problem) Error() string {
	if s, ok := p.reason.(string); ok {
		return s
	}
	return p.kind
}

func badRequest(reason any) error {
	return &problem{http.StatusBadRequest, "bad_request", reason}
}

// missing is a resource that does not exist; write is what a write says when
// something around its target does not.
func missing() error { return &problem{http.StatusNotFound, "Object Not Found", "Not Found"} }

func missingFor(reason string) error {
	return &problem{http.StatusNotFound, "not_found", reason}
}

// refused is a right that is lacking. RabbitMQ: 401 also when logged in.
func refused(reason string) error {
	return &problem{http.StatusUnauthorized, "not_authorised", reason}
}

// loginFailed is spelled as RabbitMQ does, unlike refused.
func loginFailed(reason string) error {
	return &problem{http.StatusUnauthorized, "not_authorized", reason}
}

// status without a body.
func bare(status int) error { return &problem{status: status} }

// amqpProblem words what AMQP refuses as the management API does: the text
// without the code, and 401 without a text for rights.
func amqpProblem(err error) error {
	var w *wire.Error
	if !errors.As(err, &w) {
		return err
	}
	switch w.Code {
	case wire.AccessRefused, wire.NotAllowed:
		return refused("Access refused.")
	case wire.NotFound:
		return missingFor(w.Text)
	}
	return badRequest(w.Text)
}

// codeAndText is the other wording, of publish and get: "404 NOT_FOUND - text".
func codeAndText(err error) error {
	var w *wire.Error
	if !errors.As(err, &w) {
		return err
	}
	text := make([]byte, 0, 64)
	text = append(appendJSON(text, int(w.Code)), ' ')
	return badRequest(string(append(text, w.Error()...)))
}

// brokerProblem answers what an operator's call refuses: by RabbitMQ's atom
// with its subject, or by its sentence.
func brokerProblem(err error) error {
	var e *broker.Error
	switch {
	case !errors.As(err, &e):
		return amqpProblem(err)
	case e.Kind == broker.NotFound:
		return missing()
	case e.Code != "" && e.Subject != "":
		return badRequest(list{e.Code, e.Subject})
	case e.Code != "":
		return badRequest(e.Code)
	}
	return badRequest(e.Text)
}

// asProblem gives the answer to an error. What is not a problem is a fault of
// ours: the log has it, the client only hears of it.
func (c *call) asProblem(err error) *problem {
	var p *problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return &problem{http.StatusRequestEntityTooLarge, "payload_too_large", "the request body is larger than allowed"}
	case errors.As(brokerProblem(err), &p):
		return p
	}
	c.srv.opt.Logger.Error("management call failed", "method", c.r.Method, "path", c.r.URL.EscapedPath(), "err", err)
	return &problem{http.StatusInternalServerError, "internal_error", "see the broker's log"}
}

// fail answers with a problem.
func (c *call) fail(err error) {
	p := c.asProblem(err)
	if p.kind == "" {
		c.w.WriteHeader(p.status)
		return
	}
	b := appendObject(nil, object{{"error", p.kind}, {"reason", p.reason}})
	c.write(p.status, b)
}
