"""A `tinko up` of one's own: a data folder and ports apart, real processes, real traffic."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from tinko_pipelines.local import process
from tinko_pipelines.local.layout import ROOT, Layout, open_folder
from tinko_pipelines.local.parts import choose
from tinko_pipelines.local.ports import Ports, free_ports, variable
from tinko_pipelines.local.runfile import RunFile
from tinko_pipelines.local.stack import Stack, open_stack

START_SECONDS = 300.0
SECOND_START_SECONDS = 60.0  # that issue 2 grants to a start after the first


def wait_until(ready: Callable[[], Any], seconds: float, what: str, pause: float = 0.25) -> Any:
    """Wait for `ready()` to be truthy and give its value. Raises TimeoutError naming `what`."""
    deadline = time.monotonic() + seconds
    while not (value := ready()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:.0f} s: {what}")
        time.sleep(pause)
    return value


@dataclass
class LiveStack:
    """One data folder and its `tinko up`, started, killed and started again as asked.

    `traffic` are the TINKO_DEMO_* variables of its world.
    """

    data: Path
    traffic: dict[str, str] = field(default_factory=dict)
    ports: Ports = field(default_factory=free_ports)
    up: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = self.data.resolve()
        self.output = self.data.with_name(self.data.name + ".out")
        self.layout = Layout(self.data)

    @property
    def environment(self) -> dict[str, str]:
        """What a `tinko` command of this stack is run with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TINKO_")}
        moved = {variable(item.name): str(getattr(self.ports, item.name)) for item in fields(Ports)}
        # a terminal wide enough that no address of the table is folded
        return {**kept, **moved, **self.traffic, "TINKO_DATA_DIR": str(self.data), "COLUMNS": "200"}

    @property
    def stack(self) -> Stack:
        return open_stack(self.layout, self.environment)

    def tinko(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one `tinko` command to its end; its standard error goes with its output."""
        return subprocess.run(
            self._command(*arguments),
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "tinko_pipelines.cli", *arguments]

    def start(self) -> LiveStack:
        """`tinko up`, back when it is ready. Raises RuntimeError with what it said if it ends."""
        began = time.monotonic()
        with self.output.open("wb") as output:
            # the whole stack ends with this process, however that ends
            self.up = subprocess.Popen(
                process.shim(self._command("up")),
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(self._answered, START_SECONDS, "tinko up is not ready")
        self.starts.append(round(time.monotonic() - began, 1))
        return self

    def _answered(self) -> bool:
        if self.up is None or self.up.poll() is not None:
            code = self.up and self.up.returncode
            raise RuntimeError(f"tinko up ended with {code}:\n{self.said()}")
        return "Ready after" in self.said()

    def second_start_seconds(self) -> float | None:
        """The longest start after the first; None where there was none."""
        return max(self.starts[1:], default=None)

    def said(self) -> str:
        """What `tinko up` has printed."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def api_key(self) -> str:
        """The key that the readiness table shows."""
        found = re.search(r"X-API-KEY\W+([\w.-]+)", self.said())
        if found is None:
            raise RuntimeError(f"no key in:\n{self.said()}")
        return found.group(1)

    def leaders(self) -> dict[str, int]:
        """The process that leads each part."""
        return {name: one.pid for name, one in RunFile.read(self.layout.run_file).children.items()}

    def processes(self) -> list[psutil.Process]:
        """Every process of the stack: the supervisor and all of each part."""
        found = [psutil.Process(self.up.pid)] if self.up and self.up.poll() is None else []
        known = {one.pid for one in found}
        for leader in self.leaders().values():
            for one in process.members(leader):
                if one.pid not in known:
                    known.add(one.pid)
                    found.append(one)
        return found

    def memory(self) -> dict[str, int]:
        """Proportional set size in MB of each part, whatever it consists of."""
        owners = {self.up.pid: "supervisor"} if self.up else {}
        for name, leader in self.leaders().items():
            owners |= {one.pid: name for one in process.members(leader)}
        found = dict.fromkeys(owners.values(), 0.0)
        for pid, name in owners.items():
            # a run's process may end while they are counted
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                found[name] += psutil.Process(pid).memory_full_info().pss / 1e6
        return {name: round(size) for name, size in found.items()}

    def kill(self, part: str) -> int:
        """`kill -9` of the process that leads a part, as a crash would; returns its pid.

        Postgres is ended whole, or its own crash recovery would start it again under our hands.
        """
        pid = self.leaders()[part]
        doomed = process.members(pid) if part == "postgres" else [psutil.Process(pid)]
        process.kill(doomed)
        return pid

    def kill_supervisor(self) -> None:
        """`kill -9` of `tinko up` itself."""
        assert self.up is not None
        self.up.kill()
        self.up.wait()

    def back(self, part: str, pid: int, seconds: float = 180.0) -> None:
        """Wait until a killed part runs as another process and answers its probe."""
        # made once: the daemon's looks for a heartbeat after this moment
        probe = choose([part])[0].probe(self.stack)

        def answers() -> bool:
            return self.leaders().get(part, pid) != pid and probe() is None

        wait_until(answers, seconds, f"{part} did not come back:\n{self.said()[-2000:]}")

    def stop(self, number: int = signal.SIGINT, seconds: float = 120.0) -> int:
        """Ask `tinko up` to stop as Ctrl-C does; its exit code."""
        assert self.up is not None
        self.up.send_signal(number)
        return self.up.wait(seconds)

    def sandbox(self, method: str, name: str, **body: Any) -> dict[str, Any]:
        """The sandbox's control API."""
        url = f"http://127.0.0.1:{self.ports.sandbox}/_sandbox/{name}"
        answer = httpx.request(method, url, json=body or None, timeout=120.0, trust_env=False)
        return dict(answer.raise_for_status().json())

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{getattr(self.ports, part)}"

    def query(self, statement: str, database: str = "tinko") -> list[tuple[Any, ...]]:
        """Rows of the stack's own Postgres, as its superuser sees them."""
        dsn = self.stack.superuser_url(database)
        with psycopg.connect(dsn, connect_timeout=30) as connection:
            return connection.execute(statement.encode()).fetchall()

    def graphql(self, document: str, **variables: Any) -> dict[str, Any]:
        """Dagster's answer. Raises RuntimeError with its errors."""
        answer = httpx.post(
            f"{self.url('dagster')}/graphql",
            json={"query": document, "variables": variables},
            timeout=60.0,
            trust_env=False,
        )
        found = answer.json()
        if "errors" in found:
            raise RuntimeError(str(found["errors"]))
        return dict(found["data"])

    def end(self) -> None:
        """Nothing of it is left, whatever state it was in."""
        if self.up is not None and self.up.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
            if self.up.poll() is None:
                self.kill_supervisor()
        self.tinko("down")


@contextlib.contextmanager
def live_stack(data: Path | None = None, **traffic: int) -> Iterator[LiveStack]:
    """A started stack in `data` (a temporary folder by default), ended after.

    `traffic`: rate, obligations, days (local/traffic.py).
    """
    with open_folder("tinko-proof-") as folder:
        variables = {f"TINKO_DEMO_{name.upper()}": str(value) for name, value in traffic.items()}
        made = LiveStack(data or folder / "data", variables)
        try:
            yield made.start()
        finally:
            made.end()
