"""Helpers of the stack's tests: a server of one's own, and waiting for what is to come."""

import subprocess
import time

from tinko_pipelines.local import process


def wait_until(ready, seconds=60.0, what="it"):
    """Wait for `ready()` to be truthy and give its value."""
    deadline = time.monotonic() + seconds
    while not (value := ready()):
        assert time.monotonic() < deadline, f"{what} did not become ready"
        time.sleep(0.05)
    return value


class Server:
    """One process under the shim; `kill` is a crash."""

    def __init__(self, argv, log, ready, env):
        self.argv, self.log, self.ready, self.env = argv, log, ready, env
        self.process = None

    def start(self):
        self.process = process.spawn(self.argv, log=self.log, env=self.env)
        try:
            wait_until(self._answers, what=self.argv[0])
        except AssertionError:
            self.stop()
            raise AssertionError(process.tail(self.log, 40)) from None
        return self

    def _answers(self):
        assert self.process.poll() is None, process.tail(self.log, 40)
        return self.ready() is None

    def kill(self):
        process.kill(process.members(self.process.pid))
        self.process.wait()

    def stop(self):
        if self.process is not None:
            process.stop(self.process)


def running(pid):
    """Whether a process runs (a zombie does not)."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return bool(state.stdout.strip()) and not state.stdout.strip().startswith("Z")
