package amqp

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// TestRetryTellsNackFromReject: with delayed-retry-type failed, basic.reject
// waits and basic.nack does not.
func TestRetryTellsNackFromReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipe(t, startServer(t, Options{})).open(0).channel(1)
		c.send(1, &wire.QueueDeclare{Queue: "q", Arguments: wire.Table{
			{Name: "x-delayed-retry-type", Value: "failed"}, {Name: "x-delayed-retry-min", Value: int32(1000)}}})
		want[*wire.QueueDeclareOk](c)
		c.write(appendPublish(nil, 1, "q", []byte("m")))
		c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
		want[*wire.BasicConsumeOk](c)
		for _, step := range []struct {
			back  wire.Method
			waits time.Duration
		}{
			{&wire.BasicNack{DeliveryTag: 1, Requeue: true}, 0},
			{&wire.BasicReject{DeliveryTag: 2, Requeue: true}, 2 * time.Second}, // it has come back twice
		} {
			want[*wire.BasicDeliver](c)
			c.body()
			began := time.Now()
			c.send(1, step.back)
			synctest.Wait()
			if step.waits > 0 {
				want[*wire.BasicDeliver](c)
				c.body()
			}
			if waited := time.Since(began); waited != step.waits {
				t.Errorf("%s waited %v, want %v", step.back.Name(), waited, step.waits)
			}
		}
	})
}
