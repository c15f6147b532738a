package config

import (
	"fmt"
	"os"
	"strings"
)

// applications are Erlang's names for the parts of a classic configuration, with
// what their keys begin with in rabbitmq.conf; read-only.
var applications = map[string]string{
	"rabbit":                    "",
	"rabbitmq_management":       "management.",
	"rabbitmq_management_agent": "management_agent.",
	"rabbitmq_prometheus":       "prometheus.",
}

// erlang reads a file of Erlang terms, advanced.config or the rabbitmq.config of
// old, and makes the settings of it that it would be in a rabbitmq.conf.
func (l *loader) erlang(name string) []Setting {
	text, err := os.ReadFile(name)
	if err != nil {
		l.fail(err)
		return nil
	}
	l.options.Files = append(l.options.Files, name)
	if strings.TrimSpace(string(text)) == "" {
		return nil
	}
	term, err := parseTerms(string(text))
	if err != nil {
		l.fail(fmt.Errorf("%s: %w", name, err))
		return nil
	}
	apps, _ := term.(list)
	c := classic{origin: name, drop: l.drop}
	for _, app := range apps {
		key, value, ok := pair(app)
		settings, isList := value.(list)
		prefix, known := applications[key]
		switch {
		case !ok || !isList:
			l.fail(fmt.Errorf("%s: must be a list of {application, [settings]}", name))
		case !known:
			l.warn("%s: application %s is accepted without effect", name, key)
		default:
			c.options(prefix, settings)
		}
	}
	return c.settings
}

// classic turns the terms of one file into settings.
type classic struct {
	origin   string
	drop     func(key string) // forgets what files before it said: a list is set as a whole
	settings []Setting
}

func (c *classic) put(key, value string) {
	if value != "" {
		c.settings = append(c.settings, Setting{Key: key, Value: value, Origin: c.origin})
	}
}

// pair takes {key, value} apart.
func pair(term any) (key string, value any, ok bool) {
	t, _ := term.(tuple)
	if len(t) != 2 {
		return "", nil, false
	}
	key, ok = scalar(t[0])
	return key, t[1], ok
}

// options puts a list of {key, value}.
func (c *classic) options(prefix string, settings list) {
	for _, s := range settings {
		if key, value, ok := pair(s); ok {
			c.option(prefix, key, value)
		} else if key, ok := scalar(s); ok { // inet6 and the like
			c.put(prefix+key, "true")
		}
	}
}

// option puts one {key, value}. A few have another form in rabbitmq.conf.
func (c *classic) option(prefix, key string, value any) {
	switch {
	case prefix == "" && (key == "tcp_listeners" || key == "ssl_listeners"):
		c.listeners("listeners."+strings.TrimSuffix(key, "_listeners"), value)
		return
	case prefix == "" && (key == "vm_memory_high_watermark" || key == "disk_free_limit"):
		c.limit(key, value)
		return
	case prefix == "" && (key == "loopback_users" || key == "default_user_tags"):
		c.names(key, value)
		return
	case prefix == "" && key == "default_permissions":
		c.permissions(value)
		return
	case prefix == "" && key == "log_levels":
		c.levels(value)
		return
	}
	if text, ok := scalar(value); ok {
		c.put(prefix+key, text)
		return
	}
	values, ok := value.(list)
	if !ok {
		c.put(prefix+key, "term") // which no key takes
		return
	}
	c.values(prefix+key, values)
}

// values puts a list of names as KEY.N, and of {key, value} as KEY.key.
func (c *classic) values(key string, values list) {
	for n, v := range values {
		if text, ok := scalar(v); ok {
			if n == 0 {
				c.drop(key)
			}
			c.put(key+"."+nth(n), text)
		}
	}
	for _, v := range values {
		if k, inner, ok := pair(v); ok {
			c.option(key+".", k, inner)
		}
	}
}

// listeners puts ports and {address, port}.
func (c *classic) listeners(key string, value any) {
	c.drop(key)
	all, _ := value.(list)
	if len(all) == 0 {
		c.put(key, "none")
	}
	for n, v := range all {
		if port, ok := scalar(v); ok {
			c.put(key+"."+nth(n), port)
			continue
		}
		ip, port, ok := pair(v)
		number, isText := scalar(port)
		if !ok || !isText {
			ip, number = "", "term" // which is no port
		}
		c.put(key+"."+nth(n), ip+":"+number)
	}
}

// limit puts a number, {absolute, size} or {mem_relative, number}.
func (c *classic) limit(key string, value any) {
	kind := "absolute"
	if name, inner, ok := pair(value); ok {
		value = inner
		if name != "absolute" {
			kind = "relative"
		}
	} else if text, ok := scalar(value); ok && strings.Contains(text, ".") {
		kind = "relative"
	}
	text, ok := scalar(value)
	if !ok {
		text = "term" // which is no number
	}
	c.put(key+"."+kind, text)
}

// names puts a list as KEY.NAME = true.
func (c *classic) names(key string, value any) {
	c.drop(key)
	all, _ := value.(list)
	if len(all) == 0 && key == "loopback_users" {
		c.put(key, "none")
	}
	for _, v := range all {
		if name, ok := scalar(v); ok {
			c.put(key+"."+strings.ReplaceAll(name, ".", `\.`), "true")
		}
	}
}

// permissions puts the three patterns in Erlang's order.
func (c *classic) permissions(value any) {
	all, _ := value.(list)
	for n, right := range []string{"configure", "write", "read"} {
		if n < len(all) {
			text, _ := scalar(all[n])
			c.put("default_permissions."+right, text)
		}
	}
}

// levels puts {category, level}.
func (c *classic) levels(value any) {
	all, _ := value.(list)
	for _, v := range all {
		category, level, ok := pair(v)
		if text, isText := scalar(level); ok && isText {
			c.put("log."+category+".level", text)
		}
	}
}
