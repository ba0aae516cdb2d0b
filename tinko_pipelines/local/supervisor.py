"""Start the parts in order, keep them running, stop them in reverse."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import FrameType

from tinko_pipelines.core.errors import TinkoError
from tinko_pipelines.local import ports, probes, process
from tinko_pipelines.local.layout import ROOT
from tinko_pipelines.local.parts import Part
from tinko_pipelines.local.runfile import Identity, RunFile, only_one
from tinko_pipelines.local.stack import Stack

Say = Callable[[str], None]

_BACK_OFF = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# a part that has run this long has recovered: its next end counts as the first again
_SETTLED_SECONDS = 300.0
_POLL_SECONDS = 0.25


class PartFailed(TinkoError):
    code, status, title = "part_failed", 500, "A part of the stack did not start"


class Interrupted(Exception):
    """The stack was asked to stop while it was starting."""


@dataclass
class Child:
    """A part that runs, or that waits to be started again."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    probe: probes.Probe | None = None
    started: float = 0.0
    failures: int = 0
    restart_at: float | None = None
    given_up: bool = False


@dataclass
class Supervisor:
    """Owns the children of one stack. All of it happens in the thread that calls it.

    (The parent-death signal of a child is tied to the thread that started it.)
    """

    stack: Stack
    parts: Sequence[Part]
    say: Say
    children: list[Child] = field(default_factory=list)
    _asked_to_stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._record = RunFile(self.stack.layout.run_file)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Everything started and ready inside, everything stopped after.

        Raises AlreadyRunning, PortTaken, PartFailed (with the end of the part's log) or
        Interrupted; whatever had been started is stopped then too.
        """
        layout = self.stack.layout
        with only_one(layout.lock_file, layout.run_file), self._signals():
            self._end_leftovers()
            ports.require_free(self.stack.ports, [p for part in self.parts for p in part.ports])
            self.stack.prepare_folders()
            self._record.supervisor = Identity.of(os.getpid())
            self._record.write()
            try:
                for _, wave in groupby(self.parts, key=lambda part: part.wave):
                    self._start_wave(list(wave))
                yield
            finally:
                self._stop_all()

    def watch(self) -> None:
        """Keep the parts running until a signal asks to stop."""
        while not self._asked_to_stop.wait(_POLL_SECONDS):
            for child in self.children:
                self._look_after(child)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._asked_to_stop.is_set()

    def stop(self) -> None:
        """Let `watch` return; safe from a signal handler or another thread."""
        self._asked_to_stop.set()

    def _end_leftovers(self) -> None:
        ended = RunFile.read(self.stack.layout.run_file).end_leftovers()
        if ended:
            self.say(f"ended what an earlier stack had left running: {', '.join(ended)}")

    def _start_wave(self, parts: Sequence[Part]) -> None:
        self.say(f"starting {', '.join(part.name for part in parts)}")
        for part in parts:
            child = Child(part)
            self.children.append(child)
            self._spawn(child)
        for child in self.children[-len(parts) :]:
            self._await(child)
            child.part.after(self.stack)

    def _await(self, child: Child) -> None:
        """Return when the part is ready. Raises PartFailed when it ended or takes too long."""
        part = child.part
        while (missing := self._missing(child)) is not None:
            if self.stopping:
                raise Interrupted
            code = child.process.poll() if child.process else None
            if code is not None:
                raise PartFailed(f"{part.name} ended with {_exit(code)}\n{self._log_end(part)}")
            if time.monotonic() - child.started > part.seconds:
                raise PartFailed(f"{part.name} is not ready: {missing}\n{self._log_end(part)}")
            self._asked_to_stop.wait(0.1)

    def _spawn(self, child: Child) -> None:
        part = child.part
        part.before(self.stack)
        child.probe = part.probe(self.stack)
        child.process = process.spawn(
            part.command(self.stack),
            log=self.stack.layout.log(part.name),
            env={**self.stack.environment, **part.extra(self.stack)},
            cwd=ROOT,
            run_as=part.run_as(self.stack),
            death_signal=part.stop_signal,
        )
        child.started, child.restart_at = time.monotonic(), None
        self._record.record(part.name, child.process.pid)

    def _missing(self, child: Child) -> str | None:
        return child.probe() if child.probe else "not started"

    def _look_after(self, child: Child) -> None:
        """Restart a part that ended, later each time; give up after the last delay."""
        if child.given_up:
            return
        if child.restart_at is not None:
            if time.monotonic() >= child.restart_at:
                self._restart(child)
            return
        code = child.process.poll() if child.process else None
        if code is None or child.process is None:
            return
        # what it leaves in its session would fight the new one for files and places
        process.kill(process.members(child.process.pid))
        if time.monotonic() - child.started > _SETTLED_SECONDS:
            child.failures = 0
        self._plan_restart(child, f"ended with {_exit(code)}")

    def _restart(self, child: Child) -> None:
        try:
            self._spawn(child)
        except Exception as error:
            # whatever its preparation raises (Postgres may be starting too), the others go on
            self._plan_restart(child, f"could not start ({str(error).strip()})")
        else:
            self.say(f"{child.part.name} was started again")

    def _plan_restart(self, child: Child, why: str) -> None:
        log = _short(self.stack.layout.log(child.part.name))
        if child.failures >= len(_BACK_OFF):
            child.given_up = True
            self.say(f"{child.part.name} {why} again; it is left stopped (see {log})")
            return
        delay = _BACK_OFF[child.failures]
        child.failures += 1
        child.restart_at = time.monotonic() + delay
        self.say(f"{child.part.name} {why}; starting it again in {delay:.0f} s (see {log})")

    def _stop_all(self) -> None:
        for _, wave in groupby(reversed(self.children), key=lambda child: child.part.wave):
            process.stop_together(
                [
                    process.Ending(child.process, child.part.stop_signal, child.part.stop_seconds)
                    for child in wave
                    if child.process is not None
                ]
            )
        self.children.clear()
        self._record.clear()

    def _log_end(self, part: Part) -> str:
        log = self.stack.layout.log(part.name)
        return f"the end of {_short(log)}:\n{process.tail(log)}"

    @contextmanager
    def _signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def handler(number: int, frame: FrameType | None) -> None:
            self._asked_to_stop.set()

        wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, handler) for number in wanted}
        try:
            yield
        finally:
            for number, old in before.items():
                signal.signal(number, old)


def _exit(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
