"""AMQP over TLS with pika: PLAIN, then EXTERNAL by the client's certificate.

Usage: tls.py PORT AUTHORITY CERTIFICATE KEY"""

import ssl
import sys

import pika
from pika.credentials import ExternalCredentials, PlainCredentials

port, authority, certificate, key = int(sys.argv[1]), *sys.argv[2:]


def connect(credentials, own):
    context = ssl.create_default_context(cafile=authority)
    if own:
        context.load_cert_chain(certificate, key)
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host="localhost", port=port, credentials=credentials, ssl_options=pika.SSLOptions(context, "localhost")
        )
    )


def round_trip(connection, body):
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    channel.basic_publish("", queue, body)
    _, _, got = channel.basic_get(queue, auto_ack=True)
    assert got == body, "%d octets came back, %d were sent" % (len(got), len(body))
    connection.close()


round_trip(connect(PlainCredentials("guest", "guest"), False), b"hello")
print("ok plain", flush=True)

round_trip(connect(PlainCredentials("guest", "guest"), False), b"x" * 3_000_000)  # many records
print("ok large", flush=True)

round_trip(connect(ExternalCredentials(), True), b"hello")
print("ok external", flush=True)

try:
    connect(ExternalCredentials(), False)
except pika.exceptions.AMQPConnectionError:
    print("ok refused", flush=True)
