package logs

import (
	"encoding/json"
	"log/slog"
	"strings"
)

// appendJSON adds the line as an object with RabbitMQ's names: time, level, msg,
// domain and pid, and the attributes behind them.
func (l line) appendJSON(b []byte) []byte {
	domain := "rabbitmq"
	if l.domain != "" {
		domain += "." + l.domain
	}
	b = append(b, '{')
	for _, f := range []struct{ name, value string }{
		{"time", l.time.Format(timeForm)}, {"level", levelName(l.level)}, {"msg", l.text}, {"domain", domain}, {"pid", l.pid},
	} {
		b = field(b, f.name, f.value)
	}
	for _, a := range l.attrs {
		b = field(b, a.Key, plain(a.Value.Resolve()))
	}
	b[len(b)-1] = '}'
	return append(b, '\n')
}

func field(b []byte, name string, value any) []byte {
	encoded, err := json.Marshal(value)
	if err != nil {
		encoded, _ = json.Marshal(err.Error()) // a string always can be
	}
	key, _ := json.Marshal(name) // the same
	b = append(append(b, key...), ':')
	return append(append(b, encoded...), ',')
}

// plain is a value as JSON has it: numbers and truth stay what they are.
func plain(v slog.Value) any {
	switch v.Kind() {
	case slog.KindBool, slog.KindInt64, slog.KindUint64, slog.KindFloat64:
		return v.Any()
	}
	return strings.ToValidUTF8(v.String(), "\ufffd")
}
