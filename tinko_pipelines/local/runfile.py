"""What runs: recorded in `.tinko/run.json`, so that a killed supervisor's children can be ended."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil

from tinko_pipelines.core.errors import TinkoError
from tinko_pipelines.local import process

# a recorded start time and psutil's own reading may differ in the last digits
_TOLERANCE = 0.05


class AlreadyRunning(TinkoError):
    code, status, title = "already_running", 500, "The stack is running"


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, told apart from a later one of the same pid by its start time."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a running process; None when it has gone."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def same_as(self, other: Identity) -> bool:
        return self.pid == other.pid and abs(self.started - other.started) < _TOLERANCE

    def alive(self) -> bool:
        """Whether that very process still runs (a zombie does not)."""
        present = Identity.of(self.pid)
        try:
            zombie = psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        return present is not None and present.same_as(self) and not zombie


@dataclass
class RunFile:
    """The record of one stack: its supervisor and, by part, the child that leads a session."""

    path: Path
    supervisor: Identity | None = None
    children: dict[str, Identity] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> RunFile:
        """The record at `path`; an empty one where there is none or it is torn."""
        try:
            kept: dict[str, Any] = json.loads(path.read_text())
            supervisor = kept["supervisor"] and Identity(**kept["supervisor"])
            children = {name: Identity(**one) for name, one in kept["children"].items()}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return cls(path)
        return cls(path, supervisor, children)

    def write(self) -> None:
        temporary = self.path.with_suffix(".new")
        temporary.write_text(
            json.dumps(
                {
                    "supervisor": self.supervisor and _plain(self.supervisor),
                    "children": {name: _plain(one) for name, one in self.children.items()},
                }
            )
        )
        temporary.replace(self.path)

    def record(self, name: str, pid: int) -> None:
        """Note that `name` now runs as `pid`."""
        identity = Identity.of(pid)
        if identity is not None:
            self.children[name] = identity
            self.write()

    def clear(self) -> None:
        self.supervisor, self.children = None, {}
        self.path.unlink(missing_ok=True)

    def leftovers(self) -> dict[str, list[psutil.Process]]:
        """What still runs of each recorded part: its leader, and whoever is in its session."""
        found: dict[str, list[psutil.Process]] = {}
        for name, leader in self.children.items():
            present = Identity.of(leader.pid)
            # a pid is not given out again while a session still bears it: if it is another's by
            # now, nothing of ours is left in that session
            if present is not None and not present.same_as(leader):
                continue
            running = [one for one in process.members(leader.pid) if _later(one, leader)]
            if running:
                found[name] = running
        return found

    def end_leftovers(self, seconds: float = 6.0) -> list[str]:
        """End what a killed supervisor left, last part first; returns the names of the parts."""
        left = self.leftovers()
        for name in reversed(list(left)):
            _end(left[name], signal.SIGINT if name == "postgres" else signal.SIGTERM, seconds)
        self.clear()
        return list(left)


def _plain(one: Identity) -> dict[str, float]:
    return {"pid": one.pid, "started": one.started}


def _later(one: psutil.Process, leader: Identity) -> bool:
    """Running, and not older than the session it is said to belong to."""
    try:
        alive = one.status() != psutil.STATUS_ZOMBIE
        return alive and one.create_time() >= leader.started - _TOLERANCE
    except psutil.NoSuchProcess:
        return False


def _end(running: list[psutil.Process], first: int, seconds: float) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        running[0].send_signal(first)
    _, stubborn = psutil.wait_procs(running, timeout=seconds)
    process.kill(stubborn)
    psutil.wait_procs(stubborn, timeout=5)


@contextlib.contextmanager
def only_one(lock_file: Path, run_file: Path) -> Iterator[None]:
    """Hold the stack's lock. Raises AlreadyRunning, with the holder's pid, while another does.

    The kernel gives the lock back when the holder dies, however it dies.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = RunFile.read(run_file).supervisor
            who = f" (pid {holder.pid})" if holder else ""
            raise AlreadyRunning(
                f"the stack in {run_file.parent} is running already{who}: "
                "nothing was started; `make down` stops it"
            ) from None
        yield


def is_locked(lock_file: Path) -> bool:
    """Whether a supervisor holds the lock now."""
    if not lock_file.exists():
        return False
    with lock_file.open("a") as lock:
        return _held(lock)


def _held(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def stop_supervisor(record: RunFile, lock_file: Path, seconds: float = 120.0) -> bool:
    """Ask a running supervisor to stop and wait until it has; False when none runs."""
    holder = record.supervisor
    if holder is None or not holder.alive() or not is_locked(lock_file):
        return False
    os.kill(holder.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while holder.alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    return True
