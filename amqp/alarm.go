package amqp

import "github.com/leveretmq/leveret/amqp/wire"

// holdPublish says whether a publish has to wait: for the answers before it (a
// confirmed message must not go to a queue that is not yet durable), or for the
// end of an alarm, of which the connection is told now. RabbitMQ tells only who
// publishes, but then stops reading; here all but publishing goes on.
func (ch *channel) holdPublish() bool {
	if len(ch.park.answers) > 0 {
		return true
	}
	alarm := ch.conn.srv.alarm.Load()
	if alarm == nil {
		return false
	}
	ch.park.held = true
	c := ch.conn
	if !c.told.Load() && c.peer.can.blocked {
		c.out.reply(0, &wire.ConnectionBlocked{Reason: *alarm})
	}
	c.told.Store(true)
	return true
}

// unblock tells the client that the alarm is over.
func (c *conn) unblock() {
	if !c.told.Load() || c.srv.alarm.Load() != nil {
		return
	}
	c.told.Store(false)
	if c.peer.can.blocked {
		c.out.reply(0, &wire.ConnectionUnblocked{})
	}
}
