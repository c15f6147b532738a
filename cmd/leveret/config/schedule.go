package config

import (
	"errors"
	"regexp"
	"strconv"
	"time"
)

// Schedule is when a file is put aside: at a minute of each hour, or at an hour
// of each day, of one day of the week, or of one day of the month. The zero
// value is never.
type Schedule struct {
	on                         bool
	minute, hour, weekday, day int // -1: any
}

var scheduleForm = regexp.MustCompile(`^\$(?:H(\d{1,2})|(?:W([0-6])|M(\d{1,2}))?D(\d{1,2})|W([0-6])|M(\d{1,2}))$`)

// parseSchedule reads $H30, $D0, $W0D23, $M1D0 and the like, as RabbitMQ does.
func parseSchedule(text string) (Schedule, error) {
	if text == "" {
		return Schedule{}, nil
	}
	m := scheduleForm.FindStringSubmatch(text)
	if m == nil {
		return Schedule{}, errors.New("must be of the form $H30, $D0, $W0D23 or $M1D0")
	}
	at := func(groups ...int) int {
		for _, g := range groups {
			if n, err := strconv.Atoi(m[g]); err == nil {
				return n
			}
		}
		return -1
	}
	s := Schedule{on: true, minute: at(1), hour: at(4), weekday: at(2, 5), day: at(3, 6)}
	if s.minute < 0 {
		s.minute, s.hour = 0, max(s.hour, 0)
	}
	if s.minute > 59 || s.hour > 23 || s.day == 0 || s.day > 31 {
		return Schedule{}, errors.New("must name a time that there is")
	}
	return s, nil
}

// Next is the first time after t; zero for never.
func (s Schedule) Next(t time.Time) time.Time {
	if !s.on {
		return time.Time{}
	}
	n := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), s.minute, 0, 0, t.Location())
	for !n.After(t) || s.hour >= 0 && n.Hour() != s.hour || s.weekday >= 0 && int(n.Weekday()) != s.weekday || s.day > 0 && n.Day() != s.day {
		n = n.Add(time.Hour)
	}
	return n
}
