package config

import (
	"crypto/tls"
	"slices"
	"strconv"
	"strings"
)

// level takes a level of the logs as RabbitMQ names them.
func level(at *string) setter {
	return oneOf(at, "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency", "none")
}

// category takes log.NAME.level.
func (l *Log) category(s Setting) error {
	var at string
	err := level(&at)(s)
	l.Categories[s.words()[1]] = at
	return err
}

// file takes log.file, which is a name or false.
func (l *Log) file(s Setting) error {
	switch l.FileName = s.Value; s.Value {
	case "false":
		l.FileName = ""
	case "true":
		l.FileName = defaultLogFile
	}
	return nil
}

// date takes log.file.rotation.date.
func (r *Rotation) date(s Setting) error {
	at, err := parseSchedule(s.Value)
	if err != nil {
		return s.fail("%v", err)
	}
	r.At = at
	return nil
}

// mechanism takes one of those that the server knows.
func (l *Login) mechanism(s Setting) error {
	l.Mechanisms = append(l.Mechanisms, s.Value)
	return s.among("PLAIN", "AMQPLAIN", "EXTERNAL")
}

// user finds the user that a key of default_users speaks of.
func (f *FirstBoot) user(field func(*User) setter) setter {
	return func(s Setting) error {
		name := s.words()[1]
		n := slices.IndexFunc(f.Users, func(u User) bool { return u.Name == name })
		if n < 0 {
			n = len(f.Users)
			f.Users = append(f.Users, User{Name: name, VHostPattern: ".*"})
		}
		return field(&f.Users[n])(s)
	}
}

// commas takes words with commas between them.
func commas(at *[]string) setter {
	return func(s Setting) error {
		for _, word := range strings.Split(s.Value, ",") {
			if word = strings.TrimSpace(word); word != "" {
				*at = append(*at, word)
			}
		}
		return nil
	}
}

// version takes one of the TLS versions allowed; the range of all of them is.
func (t *TLS) version(s Setting) error {
	names := []string{"tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"}
	n := slices.Index(names, s.Value)
	if n < 0 {
		return s.among(names...)
	}
	v := tls.VersionTLS10 + uint16(n)
	if t.MinVersion == 0 || v < t.MinVersion {
		t.MinVersion = v
	}
	t.MaxVersion = max(t.MaxVersion, v)
	return nil
}

// cipher takes a suite by its name in the standards or in OpenSSL. Those of TLS
// 1.3 are all good and cannot be chosen.
func (t *TLS) cipher(s Setting) error {
	for _, suite := range tls.CipherSuites() {
		if suite.Name != s.Value && opensslName(suite.Name) != s.Value {
			continue
		}
		if !slices.Contains(suite.SupportedVersions, tls.VersionTLS13) {
			t.Ciphers = append(t.Ciphers, suite.ID)
		}
		return nil
	}
	return s.fail("is a cipher suite that is unknown or not safe")
}

// opensslName is ECDHE-RSA-AES128-GCM-SHA256 for
// TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.
func opensslName(name string) string {
	name = strings.TrimPrefix(name, "TLS_")
	name = strings.NewReplacer("_WITH_", "-", "AES_", "AES", "CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305").Replace(name)
	return strings.ReplaceAll(name, "_", "-")
}

// oldTLS moves the port of the old single listener to TLS.
func (w *Web) oldTLS(s Setting) error {
	var secure bool
	err := boolean(&secure)(s)
	if secure {
		w.TLSPort, w.TLSIP, w.Port, w.IP = w.Port, w.IP, unset, ""
	}
	return err
}

// retention takes management.sample_retention_policies.SECTION.INTERVAL.
func (m *Management) retention(s Setting) error {
	var keep int
	if err := integer(&keep, 1, 1<<31)(s); err != nil {
		return err
	}
	words := s.words()
	section, interval := words[2], words[3]
	every, err := sampling(interval)
	if err != nil || !slices.Contains([]string{"global", "basic", "detailed"}, section) {
		return s.fail("must end in global, basic or detailed and minute, hour, day or a number of seconds")
	}
	if m.Retention[section] == nil {
		m.Retention[section] = map[int]int{}
	}
	m.Retention[section][every] = keep
	return nil
}

// sampling is how many seconds lie between two samples of a retention policy.
func sampling(interval string) (int, error) {
	switch interval {
	case "minute":
		return 60, nil
	case "hour":
		return 3600, nil
	case "day":
		return 86400, nil
	}
	return strconv.Atoi(interval)
}
