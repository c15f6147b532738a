package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// files reads the configuration files in their order: rabbitmq.conf, conf.d,
// advanced.config.
func (l *loader) files(src Sources) {
	if main := l.mainFile(src); main != "" {
		l.file(main)
	}
	for _, name := range l.directory(src.Root) {
		l.file(name)
	}
	if name := l.advanced(src.Root); name != "" {
		l.file(name)
	}
}

// mainFile finds rabbitmq.conf, or the rabbitmq.config of old. Only a flag
// insists on its file: RabbitMQ starts without the one that its environment
// names.
func (l *loader) mainFile(src Sources) string {
	name, named := l.environ["CONFIG_FILE"]
	switch {
	case src.File != "":
		return src.File
	case !named && src.Root == "":
		return ""
	case !named:
		name = filepath.Join(src.Root, "rabbitmq.conf")
	}
	for _, candidate := range []string{name, name + ".conf", strings.TrimSuffix(name, ".conf") + ".config"} {
		if info, err := os.Stat(candidate); err == nil && !info.IsDir() {
			return candidate
		}
	}
	if named {
		l.warn("environment variable RABBITMQ_CONFIG_FILE: there is no %s", name)
	}
	return ""
}

// directory lists the files of conf.d, or those that a pattern names.
func (l *loader) directory(root string) []string {
	name, named := l.environ["CONFIG_FILES"]
	if !named && root == "" {
		return nil
	}
	if !named {
		name = filepath.Join(root, "conf.d", "*.conf")
	} else if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, "*")
	}
	files, err := filepath.Glob(name)
	if err != nil {
		l.fail(fmt.Errorf("environment variable RABBITMQ_CONFIG_FILES: %w", err))
	}
	files = slices.DeleteFunc(files, func(file string) bool {
		info, err := os.Stat(file)
		return filepath.Base(file)[0] == '.' || err == nil && info.IsDir()
	})
	slices.Sort(files)
	return files
}

// advanced finds advanced.config.
func (l *loader) advanced(root string) string {
	name, named := l.environ["ADVANCED_CONFIG_FILE"]
	if !named && root != "" {
		name = filepath.Join(root, "advanced.config")
	}
	for _, candidate := range []string{name, name + ".config"} {
		if info, err := os.Stat(candidate); name != "" && err == nil && !info.IsDir() {
			return candidate
		}
	}
	return ""
}

// optional reads a file that need not be there: the one that a variable names,
// else base in root, if there is a root.
func (l *loader) optional(variable, root, base string) (name, text string) {
	name, named := l.environ[variable]
	if !named {
		if root == "" {
			return "", ""
		}
		name = filepath.Join(root, base)
	}
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.fail(err)
	}
	return name, string(b)
}

// plugins reads the enabled_plugins file, an Erlang list of names.
func (l *loader) plugins(root string) {
	name, text := l.optional("ENABLED_PLUGINS_FILE", root, "enabled_plugins")
	names, ok := pluginNames(text)
	if !ok {
		l.fail(fmt.Errorf("%s: must look like [rabbitmq_management]. with its full stop", name))
		return
	}
	if len(names) > 0 {
		l.settings = append(l.settings, Setting{Key: "enabled_plugins", Value: strings.Join(names, ","), Origin: name})
	}
}

// pluginNames reads [a,b]. with comments.
func pluginNames(text string) (names []string, ok bool) {
	text = regexp.MustCompile(`(?m)%.*$|\s+`).ReplaceAllString(text, "")
	if text == "" {
		return nil, true
	}
	if !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "].") {
		return nil, false
	}
	word := regexp.MustCompile(`^[a-z][a-z0-9_@]*$`)
	for _, name := range strings.Split(text[1:len(text)-2], ",") {
		name = strings.Trim(name, "'")
		if name == "" {
			continue
		}
		if !word.MatchString(name) {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// envFile reads rabbitmq-env.conf, lines of NAME=VALUE for a shell; the
// environment itself goes before it.
func (l *loader) envFile(root string) {
	name, text := l.optional("CONF_ENV_FILE", root, "rabbitmq-env.conf")
	assignment := regexp.MustCompile(`^(?:export\s+)?(?:RABBITMQ_)?([A-Z_]+)=(.*)$`)
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		m := assignment.FindStringSubmatch(line)
		switch {
		case line == "" || line[0] == '#':
		case m == nil || strings.ContainsAny(m[2], "$`"):
			l.warn("%s:%d: only lines of the form NAME=VALUE are read", name, n+1)
		default:
			if _, set := l.environ[m[1]]; !set {
				l.environ[m[1]] = strings.Trim(m[2], `"'`)
			}
		}
	}
}
