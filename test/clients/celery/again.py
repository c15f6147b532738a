"""What the driver does after the restart of the broker, in a new process."""
from tasks import add

assert add.delay(20, 22).get(timeout=60) == 42
print("ok reconnect", flush=True)
