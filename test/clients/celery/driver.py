"""Sends tasks to the worker and checks their results. Asks on stdout for what only the test can do."""
import os
import sys
import time

from celery import group

from tasks import add, slow, third_time_lucky


def ok(step):
    print("ok", step, flush=True)


def ask(what):
    print(what, flush=True)
    sys.stdin.readline()


assert add.delay(2, 3).get(timeout=30) == 5
ok("result")

assert group(add.s(n, n) for n in range(20))().get(timeout=30) == [n + n for n in range(20)]
ok("group")

assert third_time_lucky.delay().get(timeout=30) == 2
ok("retry")

started = sys.argv[1]
late = slow.delay(started)
while not os.path.exists(started):
    time.sleep(0.05)
ask("kill-worker")
assert late.get(timeout=60) == "done by the second worker"
ok("acks-late")

assert add.delay(1, 1).get(timeout=30) == 2
time.sleep(0.5)  # Celery 5.2 hangs when its connection goes in the middle of a task
ask("restart")
# The worker reconnects by itself; the rpc backend of a caller does not, so the
# caller starts anew.
os.execv(sys.executable, [sys.executable, os.path.join(os.path.dirname(__file__), "again.py")])
