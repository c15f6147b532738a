package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"
)

type recStep struct {
	Conn, Ch  any
	Op        string
	N         int
	Quiet     int
	Timeout   int
	Bind      map[string]string
	Queue     string
	Wait      int
}

func TestZZRecord(t *testing.T) {
	src, _ := os.ReadFile("/tmp/own/src.json")
	var scs []struct {
		Name    string
		Cleanup cleanup
		Steps   []json.RawMessage
	}
	if err := json.Unmarshal(src, &scs); err != nil {
		t.Fatal(err)
	}
	only := os.Getenv("ONLY")
	c, _ := newCodec()
	b := target(t)
	out := map[string]any{}
	for _, sc := range scs {
		if only != "" && sc.Name != only {
			continue
		}
		p := &play{broker: b, codec: c, conns: map[string]*conn{}, bound: bindings{}, admins: map[string]*admin{}}
		p.cleanup(sc.Cleanup)
		var res []any
		for i, raw := range sc.Steps {
			var r struct {
				Op    string            `json:"op"`
				Conn  string            `json:"conn"`
				Ch    uint16            `json:"ch"`
				N     int               `json:"n"`
				Quiet int               `json:"quiet"`
				Bind  map[string]string `json:"bind"`
				Queue string            `json:"queue"`
			}
			json.Unmarshal(raw, &r)
			switch r.Op {
			case "record":
				evs := []expectation{}
				cn := p.conns[r.Conn]
				for r.N == 0 || len(evs) < r.N {
					to := 8 * time.Second
					if r.N == 0 {
						to = time.Duration(r.Quiet) * time.Millisecond
					}
					e, err := cn.next(to)
					if err != nil {
						if r.N > 0 {
							fmt.Printf("!! %s step %d: %v\n", sc.Name, i, err)
						}
						break
					}
					e = b.settled(e)
					x := e.notation()
					for k, v := range r.Bind {
						for _, m := range []map[string]any{x.Args, x.Props} {
							if s, ok := m[k].(string); ok {
								name, ex, _ := pattern(v)
								if err := p.bound.bind(k, name, ex, s); err != nil {
									fmt.Println("!!", sc.Name, err)
								}
								m[k] = v
							}
						}
					}
					evs = append(evs, x)
					if e.kind == eventClosed {
						break
					}
				}
				res = append(res, evs)
			case "record-drain":
				cn := p.conns[r.Conn]
				q, _ := p.bound.fill(r.Queue)
				ms := []any{}
				for {
					e, done, err := (&drainStep{Ch: r.Ch}).get(cn, q)
					if err != nil {
						fmt.Printf("!! %s step %d: %v\n", sc.Name, i, err)
						break
					}
					if done {
						break
					}
					x := e.notation()
					m := drained{Body: *x.Body, Exchange: x.Args["exchange"].(string), RoutingKey: x.Args["routing-key"].(string), Redelivered: x.Args["redelivered"].(bool), Props: x.Props}
					ms = append(ms, m)
				}
				res = append(res, ms)
			default:
				var s step
				if err := json.Unmarshal(raw, &s); err != nil {
					t.Fatal(sc.Name, i, err)
				}
				if err := s.action.run(p); err != nil {
					fmt.Printf("!! %s step %d: %v\n", sc.Name, i, err)
				}
				res = append(res, nil)
			}
		}
		if err := p.silent(); err != nil {
			fmt.Println("!!", sc.Name, err)
		}
		p.teardown(scenario{Cleanup: sc.Cleanup})
		p.hangUp()
		out[sc.Name] = res
	}
	o, _ := json.Marshal(out)
	os.WriteFile("/tmp/own/out.json", o, 0o644)
}
