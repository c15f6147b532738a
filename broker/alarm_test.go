package broker

import (
	"slices"
	"testing"
)

// TestAlarmReasons has RabbitMQ's words; the last alarm to go lets publishing
// go on.
func TestAlarmReasons(t *testing.T) {
	b := guestSession(t).b
	var told []string
	b.OnAlarm(func(reason string) { told = append(told, reason) })
	b.SetAlarm(MemoryAlarm, true)
	b.SetAlarm(MemoryAlarm, true)
	b.SetAlarm(DiskAlarm, true)
	if got := b.Alarms(); !slices.Equal(got, []Alarm{DiskAlarm, MemoryAlarm}) {
		t.Errorf("alarms %v", got)
	}
	b.SetAlarm(MemoryAlarm, false)
	b.SetAlarm(DiskAlarm, false)
	want := []string{"", "low on memory", "low on disk & memory", "low on disk", ""}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}
