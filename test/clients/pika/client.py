"""The common steps with pika's blocking connection."""
import sys

import pika

URL = sys.argv[1]
QUEUE = "pika.work"


def connect():
    connection = pika.BlockingConnection(pika.URLParameters(URL))
    channel = connection.channel()
    channel.confirm_delivery()  # each publish below waits for its confirm
    return connection, channel


def publish(channel, body, key=QUEUE, mandatory=True):
    persistent = pika.BasicProperties(delivery_mode=2, message_id=body)
    channel.basic_publish("", key, body.encode(), persistent, mandatory)


def ok(step):
    print("ok", step, flush=True)


connection, channel = connect()
channel.queue_declare(QUEUE, durable=True)
assert channel.queue_declare(QUEUE, passive=True).method.message_count == 0
ok("declare")

for n in range(20):
    publish(channel, f"m{n}")
assert channel.queue_declare(QUEUE, passive=True).method.message_count == 20
ok("publish")

got = []
channel.basic_qos(prefetch_count=5)
tag = channel.basic_consume(QUEUE, lambda *delivery: got.append(delivery))
connection.process_data_events(time_limit=0.5)
assert len(got) == 5, f"{len(got)} deliveries with prefetch 5"
for acked in range(20):
    if acked == len(got):
        connection.process_data_events(time_limit=5)
    channel.basic_ack(got[acked][1].delivery_tag)
channel.basic_cancel(tag)
assert [body.decode() for *_, body in got] == [f"m{n}" for n in range(20)]
assert [properties.message_id for _, _, properties, _ in got][7] == "m7"
ok("consume")

publish(channel, "again")
method, _, body = channel.basic_get(QUEUE)
assert body == b"again" and not method.redelivered
channel.basic_reject(method.delivery_tag, requeue=True)
method, _, body = channel.basic_get(QUEUE)
assert body == b"again" and method.redelivered
channel.basic_nack(method.delivery_tag, requeue=False)
assert channel.basic_get(QUEUE) == (None, None, None)
ok("reject")

try:
    publish(channel, "nowhere", key="pika.no-such-queue")
    raise AssertionError("an unroutable message was not returned")
except pika.exceptions.UnroutableError as error:
    returned = error.messages[0]
    assert returned.method.reply_code == 312 and returned.body == b"nowhere"
ok("return")

for n in range(10):
    publish(channel, f"kept{n}")
print("restart", flush=True)
sys.stdin.readline()
try:
    channel.queue_declare(QUEUE, passive=True)
    raise AssertionError("the connection outlived the broker")
except pika.exceptions.AMQPConnectionError:
    ok("closed")
connection, channel = connect()
for n in range(10):
    method, _, body = channel.basic_get(QUEUE)
    assert body == f"kept{n}".encode(), f"{body} instead of kept{n}"
    channel.basic_ack(method.delivery_tag)
channel.queue_delete(QUEUE)
connection.close()
ok("reconnect")
