"""RabbitMQ's six tutorials with pika: sender and receiver each on a connection of its own."""
import sys
import threading
import uuid

import pika

PARAMETERS = pika.URLParameters(sys.argv[1])


def open_channel():
    return pika.BlockingConnection(PARAMETERS).channel()


def receive(channel, queue, count, auto_ack=True):
    """Returns the next messages of a queue as (routing key, body), acknowledging each."""
    got = []
    for method, _, body in channel.consume(queue, auto_ack=auto_ack, inactivity_timeout=10):
        assert method, f"{len(got)} of {count} messages came"
        got.append((method.routing_key, body.decode()))
        if not auto_ack:
            channel.basic_ack(method.delivery_tag)
        if len(got) == count:
            channel.cancel()
            return got


def temporary_queue(channel, exchange, keys):
    queue = channel.queue_declare("", exclusive=True).method.queue
    for key in keys:
        channel.queue_bind(queue, exchange, routing_key=key)
    return queue


def hello_world():
    sender, receiver = open_channel(), open_channel()
    sender.queue_declare("pika.hello")
    sender.basic_publish("", "pika.hello", b"Hello World!")
    receiver.queue_declare("pika.hello")
    assert receive(receiver, "pika.hello", 1) == [("pika.hello", "Hello World!")]


def work_queues():
    sender, workers = open_channel(), [open_channel(), open_channel()]
    sender.queue_declare("pika.task_queue", durable=True)
    done = [[], []]

    def work(worker, into):
        def callback(channel, method, _, body):
            into.append(body.decode())
            channel.basic_ack(method.delivery_tag)
        worker.basic_qos(prefetch_count=1)
        worker.basic_consume("pika.task_queue", callback)

    for worker, into in zip(workers, done):
        work(worker, into)
    for n in range(10):
        sender.basic_publish("", "pika.task_queue", f"task {n}".encode(), pika.BasicProperties(delivery_mode=2))
    for _ in range(100):
        for worker in workers:
            worker.connection.process_data_events(time_limit=0.1)
        if sum(map(len, done)) == 10:
            break
    assert sorted(done[0] + done[1]) == [f"task {n}" for n in range(10)], done
    assert done[0] and done[1], f"one worker did it all: {done}"


def publish_subscribe():
    sender, receivers = open_channel(), [open_channel(), open_channel()]
    sender.exchange_declare("pika.logs", "fanout")
    queues = [temporary_queue(receiver, "pika.logs", [""]) for receiver in receivers]
    sender.basic_publish("pika.logs", "", b"info: Hello World!")
    for receiver, queue in zip(receivers, queues):
        assert receive(receiver, queue, 1) == [("", "info: Hello World!")]


def routing():
    sender, receiver = open_channel(), open_channel()
    sender.exchange_declare("pika.direct_logs", "direct")
    queue = temporary_queue(receiver, "pika.direct_logs", ["warning", "error"])
    for severity in ["info", "warning", "error"]:
        sender.basic_publish("pika.direct_logs", severity, severity.upper().encode())
    assert receive(receiver, queue, 2) == [("warning", "WARNING"), ("error", "ERROR")]
    assert receiver.basic_get(queue) == (None, None, None)


def topics():
    sender, receiver = open_channel(), open_channel()
    sender.exchange_declare("pika.topic_logs", "topic")
    queue = temporary_queue(receiver, "pika.topic_logs", ["kern.*", "*.critical", "anonymous.#"])
    for key in ["kern.info", "cron.info", "cron.critical", "kern.critical", "anonymous", "anonymous.a.b"]:
        sender.basic_publish("pika.topic_logs", key, b"A message")
    keys = [key for key, _ in receive(receiver, queue, 5)]
    assert keys == ["kern.info", "cron.critical", "kern.critical", "anonymous", "anonymous.a.b"], keys
    assert receiver.basic_get(queue) == (None, None, None)


def rpc():
    ready = threading.Event()

    def serve():
        server = open_channel()
        server.queue_declare("pika.rpc_queue")
        server.basic_qos(prefetch_count=1)
        ready.set()
        for method, properties, body in server.consume("pika.rpc_queue"):
            answer = pika.BasicProperties(correlation_id=properties.correlation_id)
            server.basic_publish("", properties.reply_to, str(fibonacci(int(body))).encode(), answer)
            server.basic_ack(method.delivery_tag)

    threading.Thread(target=serve, daemon=True).start()
    assert ready.wait(10)
    client = open_channel()
    # As in the tutorial, and with the pseudo queue that needs no queue of the client's own.
    for reply_to in [client.queue_declare("", exclusive=True).method.queue, "amq.rabbitmq.reply-to"]:
        answers = []
        client.basic_consume(reply_to, lambda *delivery: answers.append(delivery), auto_ack=True)
        call = pika.BasicProperties(reply_to=reply_to, correlation_id=str(uuid.uuid4()))
        client.basic_publish("", "pika.rpc_queue", b"20", call)
        client.connection.process_data_events(time_limit=10)
        (_, _, properties, body), = answers
        assert body == b"6765" and properties.correlation_id == call.correlation_id


def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


for tutorial in [hello_world, work_queues, publish_subscribe, routing, topics, rpc]:
    tutorial()
    print("ok", tutorial.__name__, flush=True)
