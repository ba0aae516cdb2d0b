"""The supervisor: order, restarts, and that nothing outlives it."""

import contextlib
import io
import json
import re
import signal
import socket
import subprocess
import sys

import pytest
from rich.console import Console

from tests.integration.local.servers import running, wait_until
from tinko_pipelines.local import process, secrets
from tinko_pipelines.local.layout import ROOT, Layout
from tinko_pipelines.local.ports import Ports
from tinko_pipelines.local.stack import Stack
from tinko_pipelines.local.up import down


class Small:
    """A small stack in a process of its own."""

    def __init__(self, data, ports, *options):
        self.data, self.ports, self.options = data, ports, options
        self.output = data.with_name(data.name + ".out")
        self.process = None

    def start(self):
        argv = [sys.executable, "-m", "tests.integration.local.small_stack", str(self.data)]
        argv += [*map(str, self.ports), *self.options]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                process.shim(argv),
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def ready(self):
        self.start()
        self.wait_for("READY")
        return self

    def wait_for(self, words):
        wait_until(lambda: words in self.text() or self.ended(words), what=words)

    def ended(self, words):
        assert self.process.poll() is None, f"ended without {words!r}:\n{self.text()}"

    def text(self):
        return self.output.read_text()

    def children(self):
        record = json.loads((self.data / "run.json").read_text())
        return {name: one["pid"] for name, one in record["children"].items()}

    def grandchild(self):
        log = (self.data / "logs" / "family.log").read_text()
        return int(re.findall(r"grandchild (\d+)", log)[-1])

    def everybody(self):
        return [*self.children().values(), self.grandchild()]

    def down(self):
        stack = Stack(Layout(self.data), Ports(), secrets.fresh())
        said = io.StringIO()
        down(stack, Console(file=said, width=200))
        return said.getvalue()

    def end(self):
        """Nothing of it is left; no signal that a child may wait out is tried first."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(FileNotFoundError):
            for leader in self.children().values():
                process.kill(process.members(leader))
        self.down()


@pytest.fixture
def small(tmp_path, free_port):
    made = []

    def make(*options, ports=None):
        found = Small(tmp_path / "data", ports or (free_port(), free_port()), *options)
        made.append(found)
        return found

    yield make
    for one in made:
        one.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_everything_it_started(small, number):
    stack = small().ready()
    everybody = stack.everybody()
    assert all(running(pid) for pid in everybody)
    stack.process.send_signal(number)
    assert stack.process.wait(60) == 0
    assert stack.text().endswith("STOPPED\n")
    assert not [pid for pid in everybody if running(pid)]
    assert not (stack.data / "run.json").exists()


def test_a_second_start_says_so_and_starts_nothing(small):
    first = small().ready()
    before = first.children()
    second = Small(first.data, first.ports)
    second.output = first.data.with_name("second.out")
    second.start()
    assert second.process.wait(60) == 1
    assert f"running already (pid {first.process.pid})" in second.text()
    assert first.children() == before
    assert all(running(pid) for pid in before.values())


def test_a_killed_part_is_started_again_and_what_it_left_is_ended(small):
    stack = small().ready()
    first, grandchild = stack.children()["family"], stack.grandchild()
    subprocess.run(["kill", "-9", str(first)], check=True)
    stack.wait_for("family ended with signal SIGKILL; starting it again")
    stack.wait_for("family was started again")
    assert stack.children()["family"] != first
    wait_until(lambda: not running(grandchild), what="the end of the old grandchild")


def test_a_part_that_keeps_ending_is_given_up(small):
    stack = small("--back-off", "0.05", "0.05").ready()
    for _ in range(3):
        web = stack.children()["web"]
        subprocess.run(["kill", "-9", str(web)], check=True)
        wait_until(lambda web=web: stack.children()["web"] != web or "left stopped" in stack.text())
    stack.wait_for("web ended with signal SIGKILL again; it is left stopped")
    assert running(stack.children()["family"])


def test_after_a_kill_of_the_supervisor_down_leaves_nothing(small):
    stack = small().ready()
    everybody = stack.everybody()
    stack.process.kill()
    stack.process.wait()
    # the parent-death signal ends who listens; the grandchild is the one that does not
    assert running(stack.grandchild())
    assert "ended what had been left running: family" in stack.down()
    assert not [pid for pid in everybody if running(pid)]
    assert "nothing is running" in stack.down()


def test_after_a_kill_of_the_supervisor_the_next_start_leaves_nothing_of_the_old(small):
    stack = small().ready()
    everybody = stack.everybody()
    stack.process.kill()
    stack.process.wait()
    stack.ready()
    assert "ended what an earlier stack had left running: family" in stack.text()
    assert not [pid for pid in everybody if running(pid)]
    assert all(running(pid) for pid in stack.everybody())


def test_down_stops_a_running_stack(small):
    stack = small().ready()
    everybody = stack.everybody()
    assert "the stack was stopped" in stack.down()
    assert stack.process.wait(60) == 0
    assert not [pid for pid in everybody if running(pid)]


def test_a_part_that_does_not_start_is_named_and_the_others_are_stopped(small):
    stack = small("--broken").start()
    assert stack.process.wait(60) == 1
    assert "broken ended with exit code 1" in stack.text()
    assert "this part is broken on purpose" in stack.text()
    assert not (stack.data / "run.json").exists()
    assert not running(stack.grandchild())


def test_a_taken_port_is_named_before_anything_starts(small, free_port):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        stack = small(ports=(free_port(), port)).start()
        assert stack.process.wait(60) == 1
    assert f"port {port} (mail) is taken by" in stack.text()
    assert "TINKO_MAIL_PORT" in stack.text()
    assert not (stack.data / "logs").exists()
