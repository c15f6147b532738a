package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"time"
)

const (
	httpTimeout   = 10 * time.Second
	untilInterval = 100 * time.Millisecond
	untilLimit    = 10 * time.Second
	sentBefore    = 50 * time.Millisecond // for what was sent by AMQP to arrive before a change by HTTP
	answerLimit   = 8 << 20
)

type httpStep struct {
	label
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   any             `json:"body"`
	User   string          `json:"user"`
	Pass   string          `json:"pass"`
	Status int             `json:"status"`
	JSON   json.RawMessage `json:"json"`
	Until  bool            `json:"until"`
}

func (s *httpStep) run(p *play) error {
	if p.broker.management == "" {
		return fmt.Errorf("the broker under test has no management API")
	}
	path, err := p.bound.fill(s.Path)
	if err != nil {
		return err
	}
	body, err := s.content(p)
	if err != nil {
		return err
	}
	if s.Method != http.MethodGet {
		<-time.After(sentBefore)
	}
	for end := time.Now().Add(untilLimit); ; <-time.After(untilInterval) {
		err := s.once(p.broker.management+path, body)
		if err == nil || !s.Until || time.Now().After(end) {
			return err
		}
	}
}

func (s *httpStep) content(p *play) ([]byte, error) {
	if s.Body == nil {
		return nil, nil
	}
	filled, err := p.bound.fillAll(s.Body)
	if err != nil {
		return nil, err
	}
	return json.Marshal(filled)
}

func (s *httpStep) once(url string, body []byte) error {
	status, answer, err := s.request(url, body)
	if err != nil {
		return err
	}
	if status != s.Status && (status/100 != 2 || s.Status/100 != 2) {
		return fmt.Errorf("status %d, want %d: %s", status, s.Status, short(string(answer)))
	}
	if s.JSON == nil {
		return nil
	}
	var want, got any
	if err := json.Unmarshal(s.JSON, &want); err != nil {
		return err
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return fmt.Errorf("the answer is no JSON: %w: %s", err, short(string(answer)))
	}
	if !contains(got, want) {
		return fmt.Errorf("the answer lacks what is wanted\n  want %s\n  got  %s", s.JSON, short(string(answer)))
	}
	return nil
}

func (s *httpStep) request(url string, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), httpTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, s.Method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	user, pass := s.User, s.Pass
	if user == "" {
		user, pass = "guest", "guest"
	}
	req.SetBasicAuth(user, pass)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	return resp.StatusCode, answer, err
}

// contains tells whether got has every field of want, at any depth. Lists must
// be of the same length.
func contains(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		for name, v := range want {
			ok = ok && contains(g[name], v)
		}
		return ok
	case []any:
		g, ok := got.([]any)
		ok = ok && len(g) == len(want)
		for i := range want {
			ok = ok && contains(g[i], want[i])
		}
		return ok
	}
	return reflect.DeepEqual(got, want)
}
