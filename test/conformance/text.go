package conformance

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The longest octet strings that are shown as they are; longer runs are
// written as repeat: or seq: so that a failure stays readable.
const (
	repeatFrom = 100
	seqAbove   = 64
	seqPeriod  = 251
	textLimit  = 64 << 20
)

// octets turns the notation of a string or body into what goes on the wire:
// "hex:00ff", "repeat:300:x", "seq:1000", anything else is UTF-8 text.
func octets(s string) (string, error) {
	switch {
	case strings.HasPrefix(s, "hex:"):
		b, err := hex.DecodeString(s[len("hex:"):])
		if err != nil {
			return "", fmt.Errorf("notation %q: %w", s, err)
		}
		return string(b), nil
	case strings.HasPrefix(s, "repeat:"):
		return repeated(s)
	case strings.HasPrefix(s, "seq:"):
		n, err := length(s, s[len("seq:"):])
		if err != nil {
			return "", err
		}
		return sequence(n), nil
	}
	return s, nil
}

func repeated(s string) (string, error) {
	count, char, ok := strings.Cut(s[len("repeat:"):], ":")
	if !ok || utf8.RuneCountInString(char) != 1 {
		return "", fmt.Errorf("notation %q: want repeat:COUNT:CHARACTER", s)
	}
	n, err := length(s, count)
	if err != nil {
		return "", err
	}
	return strings.Repeat(char, n), nil
}

func length(whole, digits string) (int, error) {
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > textLimit {
		return 0, fmt.Errorf("notation %q: bad length %q", whole, digits)
	}
	return n, nil
}

func sequence(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % seqPeriod)
	}
	return string(b)
}

// notation is the reverse of octets, as the recordings write received octets.
func notation(s string) string {
	if len(s) >= repeatFrom && s[0] < utf8.RuneSelf && strings.Count(s, s[:1]) == len(s) {
		return fmt.Sprintf("repeat:%d:%s", len(s), s[:1])
	}
	if len(s) > seqAbove && s == sequence(len(s)) {
		return fmt.Sprintf("seq:%d", len(s))
	}
	if back, err := octets(s); err != nil || back != s || !utf8.ValidString(s) {
		return "hex:" + hex.EncodeToString([]byte(s))
	}
	return s
}
