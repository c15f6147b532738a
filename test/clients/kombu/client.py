"""The common steps with kombu over py-amqp."""
import socket
import sys

from kombu import Connection, Exchange, Queue

URL = sys.argv[1]
EXCHANGE = Exchange("kombu.exchange", type="direct", durable=True)
QUEUE = Queue("kombu.work", EXCHANGE, routing_key="work", durable=True)


def connect():
    connection = Connection(URL, transport_options={"confirm_publish": True})
    return connection, connection.channel()


def publish(body, key="work", **options):
    producer.publish(body, routing_key=key, exchange=EXCHANGE, delivery_mode=2, **options)


def ok(step):
    print("ok", step, flush=True)


def drain_until(connection, done, seconds=5):
    """Handles deliveries until done() or nothing came for the time given."""
    try:
        while not done():
            connection.drain_events(timeout=seconds)
    except socket.timeout:
        pass


connection, channel = connect()
queue = QUEUE(channel)
queue.declare()
assert queue.queue_declare(passive=True).message_count == 0
ok("declare")

returned = []
producer = connection.Producer(channel, on_return=lambda *args: returned.append(args))
for n in range(20):
    publish({"n": n})
assert queue.queue_declare(passive=True).message_count == 20
ok("publish")

got = []
consumer = connection.Consumer([queue], channel=channel, on_message=got.append)
consumer.qos(prefetch_count=5)
consumer.consume()
drain_until(connection, lambda: False, seconds=0.5)
assert len(got) == 5, f"{len(got)} deliveries with prefetch 5"
for acked in range(20):
    drain_until(connection, lambda: len(got) > acked)
    got[acked].ack()
consumer.cancel()
assert [message.payload["n"] for message in got] == list(range(20))
ok("consume")

publish("again")
message = queue.get()
assert message.payload == "again" and not message.delivery_info["redelivered"]
message.requeue()
message = queue.get()
assert message.payload == "again" and message.delivery_info["redelivered"]
message.reject()
assert queue.get() is None
ok("reject")

publish("nowhere", key="no-such-key", mandatory=True)
drain_until(connection, lambda: returned, seconds=1)
error, exchange, key, _ = returned[0]
assert (error.reply_code, exchange, key) == (312, "kombu.exchange", "no-such-key")
ok("return")

for n in range(10):
    publish({"kept": n})
print("restart", flush=True)
sys.stdin.readline()
try:
    queue.queue_declare(passive=True)
    raise AssertionError("the connection outlived the broker")
except connection.recoverable_connection_errors:
    ok("closed")
connection, channel = connect()
queue = QUEUE(channel)
for n in range(10):
    message = queue.get()
    assert message.payload == {"kept": n}
    message.ack()
queue.delete()
connection.close()
ok("reconnect")
