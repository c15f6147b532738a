"""The Celery application of worker and driver. AMQP_URL names the broker."""
import os
import time

from celery import Celery

app = Celery("tasks", broker=os.environ["AMQP_URL"], backend="rpc://")
app.conf.update(
    broker_connection_retry=True,
    broker_connection_max_retries=None,
    broker_transport_options={"confirm_publish": True},
    result_persistent=True,
    task_default_queue="celery.work",
    worker_prefetch_multiplier=2,
    worker_hijack_root_logger=False,
)


@app.task
def add(x, y):
    return x + y


@app.task(bind=True, max_retries=3)
def third_time_lucky(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task(bind=True, acks_late=True)
def slow(self, path):
    """Runs until its worker is killed the first time it is delivered."""
    if not self.request.delivery_info["redelivered"]:
        with open(path, "w") as started:
            started.write("started")
        time.sleep(60)
    return "done by the second worker"
