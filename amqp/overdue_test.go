package amqp

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leveretmq/leveret/amqp/wire"
)

// TestOverdueClosesTheChannel: a delivery that is not acknowledged in time ends
// its channel and nothing else; what it held goes back.
func TestOverdueClosesTheChannel(t *testing.T) {
	for name, take := range map[string]func(c *client){
		"consume": func(c *client) {
			c.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
			want[*wire.BasicConsumeOk](c)
			want[*wire.BasicDeliver](c)
			c.body()
		},
		"get": func(c *client) {
			c.send(1, &wire.BasicGet{Queue: "q"})
			want[*wire.BasicGetOk](c)
			c.body()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := pipe(t, startServer(t, Options{})).open(0).channel(1).channel(2)
				c.declare(1, "q")
				c.write(appendPublish(nil, 1, "q", []byte("m")))
				take(c)
				began := time.Now()
				bad := want[*wire.ChannelClose](c)
				if held := time.Since(began); held < 30*time.Minute || held > 31*time.Minute {
					t.Errorf("closed after %v", held)
				}
				if bad.ReplyCode != 406 || bad.ClassID != 0 || !strings.HasPrefix(bad.ReplyText,
					"PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms.") {
					t.Errorf("got %+v", bad)
				}
				c.send(1, &wire.ChannelCloseOk{})
				c.awaitReady(2, "q", 1)
			})
		})
	}
}
