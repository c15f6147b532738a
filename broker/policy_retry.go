package broker

import (
	"time"

	"github.com/leveretmq/leveret/queue"
)

// The keys of this file are not RabbitMQ's, or not yet that of the versions
// whose answers we give. What an argument says counts before them.

func isBool(v any) bool {
	_, ok := v.(bool)
	return ok
}

func isPercent(v any) bool {
	n, ok := v.(int64)
	return ok && n >= 0 && n <= 100
}

func mergeRetry(field func(*queue.DelayedRetry) *int64) func(*queue.Settings, any) {
	return func(s *queue.Settings, v any) {
		if f := field(&s.Retry); *f == 0 {
			*f = v.(int64)
		}
	}
}

func mergeRetryTime(field func(*queue.DelayedRetry) *time.Duration) func(*queue.Settings, any) {
	return func(s *queue.Settings, v any) {
		if f := field(&s.Retry); *f == 0 {
			*f = milliseconds(v.(int64))
		}
	}
}

func mergeRetryType(s *queue.Settings, v any) {
	if s.Retry.Type == "" {
		s.Retry.Type = v.(string)
	}
}

func retryMin(r *queue.DelayedRetry) *time.Duration { return &r.Min }
func retryMax(r *queue.DelayedRetry) *time.Duration { return &r.Max }
func retryMultiplier(r *queue.DelayedRetry) *int64  { return &r.Multiplier }
func retryJitter(r *queue.DelayedRetry) *int64      { return &r.Jitter }
func mergeExpireAnywhere(s *queue.Settings, v any)  { s.ExpireAnywhere = s.ExpireAnywhere || v.(bool) }
func mergeDeduplication(s *queue.Settings, v any)   { s.Dedup.On = s.Dedup.On || v.(bool) }
