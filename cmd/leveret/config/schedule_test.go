package config

import (
	"testing"
	"time"
)

func TestSchedule(t *testing.T) {
	const form = "2006-01-02 15:04"
	after, err := time.Parse(form, "2026-11-25 12:30") // a Wednesday
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"$D0":    "2026-11-26 00:00",
		"$D12":   "2026-11-26 12:00",
		"$D23":   "2026-11-25 23:00",
		"$H30":   "2026-11-25 13:30",
		"$H45":   "2026-11-25 12:45",
		"$W0D23": "2026-11-29 23:00",
		"$W3D12": "2026-12-02 12:00",
		"$W4":    "2026-11-26 00:00",
		"$M1D0":  "2026-12-01 00:00",
		"$M31D6": "2026-12-31 06:00",
		"$M25":   "2026-12-25 00:00",
	} {
		s, err := parseSchedule(text)
		if got := s.Next(after).Format(form); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"D0", "$", "$D", "$D24", "$H60", "$W7D1", "$M0D1", "$M32D1", "$D0H0", "$X1", "$D0 "} {
		if s, err := parseSchedule(text); err == nil {
			t.Errorf("%q is taken for %+v", text, s)
		}
	}
	if next := (Schedule{}).Next(after); !next.IsZero() {
		t.Errorf("no schedule: %v", next)
	}
}
