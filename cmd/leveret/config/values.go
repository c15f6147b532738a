package config

import (
	"math"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setter puts a setting's value where it belongs, or says what is wrong with it.
type setter func(Setting) error

func text(at *string) setter {
	return func(s Setting) error { *at = s.Value; return nil }
}

// expression takes a regular expression.
func expression(at *string) setter {
	return func(s Setting) error {
		*at = s.Value
		if _, err := regexp.Compile(s.Value); err != nil {
			return s.fail("must be a regular expression: %v", err)
		}
		return nil
	}
}

// texts collects the values of a numbered list.
func texts(at *[]string) setter {
	return func(s Setting) error { *at = append(*at, s.Value); return nil }
}

// empty takes the one word none, which makes a list empty.
func empty(at *[]string) setter {
	return func(s Setting) error {
		if s.Value == "none" {
			*at = []string{}
		}
		return s.among("none")
	}
}

func (s Setting) among(words ...string) error {
	if !slices.Contains(words, s.Value) {
		return s.fail("must be %s", alternatives(words))
	}
	return nil
}

// alternatives is "a", "a or b", "a, b or c".
func alternatives(words []string) string {
	n := len(words) - 1
	if n < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n], ", ") + " or " + words[n]
}

func oneOf(at *string, words ...string) setter {
	return func(s Setting) error { *at = s.Value; return s.among(words...) }
}

func boolean(at *bool) setter { return either(at, "true", "false") }

// either takes one word for true and another for false.
func either(at *bool, yes, no string) setter {
	return func(s Setting) error { *at = s.Value == yes; return s.among(yes, no) }
}

type number interface {
	~int | ~int64 | ~uint16 | ~uint32 | ~uint64
}

func integer[T number](at *T, least, most int64) setter {
	return func(s Setting) error {
		n, err := strconv.ParseInt(s.Value, 10, 64)
		if err != nil || n < least || n > most {
			if most == math.MaxInt64 {
				return s.fail("must be a whole number, at least %d", least)
			}
			return s.fail("must be a whole number from %d to %d", least, most)
		}
		*at = T(n)
		return nil
	}
}

// count is a limit that infinity takes away.
func count(at *int) setter {
	return func(s Setting) error {
		if s.Value == "infinity" {
			*at = 0
			return nil
		}
		return integer(at, 1, math.MaxInt32)(s)
	}
}

func port(at *int) setter { return integer(at, 0, math.MaxUint16) }

func ratio(at *float64) setter {
	return func(s Setting) error {
		f, err := strconv.ParseFloat(s.Value, 64)
		if err != nil || f < 0 || math.IsInf(f, 0) || math.IsNaN(f) {
			return s.fail("must be a number such as 0.4")
		}
		*at = f
		return nil
	}
}

// span takes a number of the given unit, or infinity for zero, which is none.
func span(at *time.Duration, unit time.Duration) setter {
	return func(s Setting) error {
		n, err := strconv.ParseUint(s.Value, 10, 32)
		switch {
		case s.Value == "infinity":
		case err != nil:
			return s.fail("must be a number of %s", map[time.Duration]string{time.Second: "seconds", time.Millisecond: "milliseconds"}[unit])
		}
		*at = time.Duration(n) * unit
		return nil
	}
}

func seconds(at *time.Duration) setter      { return span(at, time.Second) }
func milliseconds(at *time.Duration) setter { return span(at, time.Millisecond) }

// size takes octets with a unit as RabbitMQ's memory and disk limits have it:
// k, m, g and kiB, MiB, GiB are powers of 1024, kB, MB, GB of 1000.
func size(at *uint64) setter {
	return func(s Setting) error {
		n, ok := octets(s.Value)
		if !ok {
			return s.fail("must be a number of octets, with a unit such as kB, MB, GB, KiB, MiB, GiB or not")
		}
		*at = n
		return nil
	}
}

func octets(text string) (uint64, bool) {
	digits := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit := strings.ToLower(text[len(digits):])
	base := uint64(1024)
	if len(unit) == 2 && unit[1] == 'b' {
		base = 1000
	}
	unit = strings.TrimSuffix(strings.TrimSuffix(unit, "b"), "i")
	n, err := strconv.ParseUint(digits, 10, 63)
	powers := strings.Index("kmgtp", unit)
	if err != nil || len(unit) > 1 || powers < 0 || text[len(digits):] != "" && unit == "" {
		return 0, false
	}
	for range powers + len(unit) {
		if n > math.MaxInt64/base {
			return 0, false
		}
		n *= base
	}
	return n, true
}

// frameSize takes octets with KB, MB or GB as RabbitMQ's frame sizes have it, where
// they are powers of 1024.
func frameSize(at *uint64) setter {
	return func(s Setting) error {
		binary := s
		if upper := strings.ToUpper(s.Value); strings.HasSuffix(upper, "KB") || strings.HasSuffix(upper, "MB") || strings.HasSuffix(upper, "GB") {
			binary.Value = s.Value[:len(s.Value)-1]
		}
		return size(at)(binary)
	}
}

// listener collects a port, or IP:PORT.
func listener(at *[]string) setter {
	return func(s Setting) error {
		host, service := "::", s.Value
		if colon := strings.LastIndexByte(s.Value, ':'); colon >= 0 { // RabbitMQ: ::1:5672 has no brackets
			host, service = strings.Trim(s.Value[:colon], "[]"), s.Value[colon+1:]
		}
		n, err := strconv.ParseUint(service, 10, 16)
		if err != nil {
			return s.fail("must be a port, or IP:PORT as in 127.0.0.1:5672 and [::1]:5672")
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" && host != "" {
			return s.fail("must have an IP address before the port")
		}
		*at = append(*at, net.JoinHostPort(host, strconv.FormatUint(n, 10)))
		return nil
	}
}

func ip(at *string) setter {
	return func(s Setting) error {
		*at = s.Value
		if _, err := netip.ParseAddr(s.Value); err != nil && s.Value != "localhost" {
			return s.fail("must be an IP address")
		}
		return nil
	}
}

// flags collects the names, the last words of keys, that are set to true.
func flags(at *[]string) setter {
	return func(s Setting) error {
		if *at == nil { // to set none of them differs from saying nothing
			*at = []string{}
		}
		if s.Value == "true" {
			*at = append(*at, s.last())
		}
		return s.among("true", "false")
	}
}

// only accepts a value that asks for what is there anyway, and refuses others:
// to ignore them would be unsafe.
func only(why string, words ...string) setter {
	return func(s Setting) error {
		if !slices.Contains(words, s.Value) {
			return s.fail("is not supported: %s", why)
		}
		return nil
	}
}
