package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// variable is an environment variable that sets a key; its name is without
// RABBITMQ_.
type variable struct{ name, key string }

// variables that take the place of what the files say. read-only
var lateVariables = []variable{
	{"DEFAULT_USER", "default_user"},
	{"DEFAULT_PASS", "default_pass"},
	{"DEFAULT_VHOST", "default_vhost"},
	{"MNESIA_DIR", "data_dir"},
	{"NODENAME", "node_name"},
	{"PID_FILE", "pid_file"},
	{"SSL_CACERTFILE", "ssl_options.cacertfile"},
	{"SSL_CERTFILE", "ssl_options.certfile"},
	{"SSL_KEYFILE", "ssl_options.keyfile"},
	{"SSL_VERIFY", "ssl_options.verify"},
	{"SSL_FAIL_IF_NO_PEER_CERT", "ssl_options.fail_if_no_peer_cert"},
	{"SSL_DEPTH", "ssl_options.depth"},
	{"MANAGEMENT_SSL_CACERTFILE", "management.ssl.cacertfile"},
	{"MANAGEMENT_SSL_CERTFILE", "management.ssl.certfile"},
	{"MANAGEMENT_SSL_KEYFILE", "management.ssl.keyfile"},
	{"MANAGEMENT_SSL_VERIFY", "management.ssl.verify"},
	{"MANAGEMENT_SSL_FAIL_IF_NO_PEER_CERT", "management.ssl.fail_if_no_peer_cert"},
	{"MANAGEMENT_SSL_DEPTH", "management.ssl.depth"},
}

// idleVariables are known and change nothing; one warning each. read-only
var idleVariables = []string{"ERLANG_COOKIE", "DIST_PORT", "HIPE_COMPILE", "IO_THREAD_POOL_SIZE"}

// environment is what begins with RABBITMQ_, by the rest of the name. Variables
// that nobody knows are passed over: the environment belongs to others too.
func environment(environ []string) map[string]string {
	vars := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && value != "" {
			if name, ok := strings.CutPrefix(name, "RABBITMQ_"); ok {
				vars[name] = value
			}
		}
	}
	return vars
}

// from is a setting that an environment variable makes.
func from(name, key, value string) Setting {
	return Setting{Key: key, Value: value, Origin: "environment variable RABBITMQ_" + name}
}

// variables gives the settings of the environment: those that the files
// replace, and those that replace the files.
func (l *loader) variables() (early, late []Setting) {
	early = append(l.listenVariables(), l.logVariables()...)
	for _, v := range lateVariables {
		if value, ok := l.environ[v.name]; ok {
			late = append(late, from(v.name, v.key, value))
		}
	}
	late = slices.Concat(late, l.secretVariables(), l.placeVariables(), l.imageVariables(), l.argumentVariables())
	for _, name := range idleVariables {
		if _, ok := l.environ[name]; ok {
			l.warn("environment variable RABBITMQ_%s is accepted without effect", name)
		}
	}
	return early, late
}

func (l *loader) listenVariables() []Setting {
	ip, port := l.environ["NODE_IP_ADDRESS"], l.environ["NODE_PORT"]
	if ip == "" && port == "" {
		return nil
	}
	name := "NODE_PORT"
	if port == "" {
		name, port = "NODE_IP_ADDRESS", "5672"
	}
	if ip == "" || ip == "auto" {
		ip = "::"
	}
	return []Setting{from(name, "listeners.tcp.environment", net.JoinHostPort(ip, port))}
}

// logVariables reads RABBITMQ_LOG, as in "debug" and "connection.error,+color",
// and where logs go.
func (l *loader) logVariables() (all []Setting) {
	for _, part := range strings.Split(l.environ["LOG"], ",") {
		category, level, found := strings.Cut(part, ".")
		switch {
		case part == "" || part[0] == '+' || part[0] == '-': // colours and the like
		case found:
			all = append(all, from("LOG", "log."+category+".level", level))
		default:
			all = append(all, from("LOG", "log.default.level", part))
		}
	}
	if dir, ok := l.environ["LOG_BASE"]; ok {
		all = append(all, from("LOG_BASE", "log.dir", dir))
	}
	switch name := l.environ["LOGS"]; name {
	case "":
	case "-":
		all = append(all, from("LOGS", "log.console", "true"), from("LOGS", "log.file", "false"))
	default:
		all = append(all, from("LOGS", "log.file", name))
	}
	return all
}

// secretVariables name files that hold a name or a password.
func (l *loader) secretVariables() (all []Setting) {
	for _, v := range []variable{{"DEFAULT_USER_FILE", "default_user"}, {"DEFAULT_PASS_FILE", "default_pass"}} {
		file, ok := l.environ[v.name]
		if !ok {
			continue
		}
		text, err := os.ReadFile(file)
		value := strings.TrimRight(string(text), "\r\n")
		if err == nil && value == "" {
			err = fmt.Errorf("%s is empty", file)
		}
		if err != nil {
			l.fail(fmt.Errorf("environment variable RABBITMQ_%s: %w", v.name, err))
			continue
		}
		all = append(all, from(v.name, v.key, value))
	}
	return all
}

// placeVariables say where things are kept.
func (l *loader) placeVariables() (all []Setting) {
	base, name := l.environ["MNESIA_BASE"], l.environ["NODENAME"]
	if base != "" && l.environ["MNESIA_DIR"] == "" {
		if name == "" {
			name = l.options.NodeName
		}
		all = append(all, from("MNESIA_BASE", "data_dir", filepath.Join(base, name)))
	}
	if plugins, ok := l.environ["ENABLED_PLUGINS"]; ok {
		all = append(all, from("ENABLED_PLUGINS", "enabled_plugins", plugins))
	}
	return all
}

// imageVariables are those of the official image up to 3.8: a certificate turns
// the plain listener into one with TLS.
func (l *loader) imageVariables() (all []Setting) {
	if _, ok := l.environ["SSL_CERTFILE"]; ok {
		all = append(all, from("SSL_CERTFILE", "listeners.ssl.default", "5671"), from("SSL_CERTFILE", "listeners.tcp", "none"))
	}
	if _, ok := l.environ["MANAGEMENT_SSL_CERTFILE"]; ok {
		all = append(all, from("MANAGEMENT_SSL_CERTFILE", "management.ssl.port", "15671"), from("MANAGEMENT_SSL_CERTFILE", "management.tcp.port", "0"))
	}
	if mark, ok := l.environ["VM_MEMORY_HIGH_WATERMARK"]; ok {
		key := "vm_memory_high_watermark.absolute"
		if strings.Contains(mark, ".") {
			key = "vm_memory_high_watermark.relative"
		}
		all = append(all, from("VM_MEMORY_HIGH_WATERMARK", key, mark))
	}
	return all
}

var (
	definitionsArgument = regexp.MustCompile(`-rabbitmq_management\s+load_definitions\s+"?([^"\s]+)"?`)
	levelArgument       = regexp.MustCompile(`-rabbit\s+log_levels\s+"?\[\{connection,\s*(\w+)\}`)
	ratesArgument       = regexp.MustCompile(`-rabbitmq_management\s+rates_mode\s+"?(\w+)"?`)
)

// argumentVariables reads what old compose files pass to Erlang.
func (l *loader) argumentVariables() (all []Setting) {
	for _, name := range []string{"SERVER_START_ARGS", "SERVER_ADDITIONAL_ERL_ARGS"} {
		rest := l.environ[name]
		for _, a := range []struct {
			argument *regexp.Regexp
			key      string
		}{{definitionsArgument, "management.load_definitions"}, {levelArgument, "log.connection.level"}, {ratesArgument, "management.rates_mode"}} {
			if m := a.argument.FindStringSubmatch(rest); m != nil {
				all = append(all, from(name, a.key, m[1]))
				rest = strings.Replace(rest, m[0], "", 1)
			}
		}
		if strings.ContainsRune(rest, '-') {
			l.warn("environment variable RABBITMQ_%s: arguments for Erlang are accepted without effect", name)
		}
	}
	return all
}
