"""Start and end one child process of the stack."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

_SHIM = Path(__file__).with_name("child.py")


@dataclass(frozen=True, slots=True)
class RunAs:
    """An unprivileged user; `reach` lets it walk through folders only root may enter."""

    uid: int
    gid: int
    reach: bool = False


def unprivileged(*paths: Path) -> RunAs | None:
    """Whom a server that refuses root should run as; None when we are not root anyway.

    `paths` are what it must reach: its programs and its data.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        uid = gid = 65534
    return RunAs(uid, gid, reach=not all(_open_to_all(path.resolve()) for path in paths))


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.parents if folder.exists())


def shim(
    argv: Sequence[str], run_as: RunAs | None = None, death_signal: int = signal.SIGTERM
) -> list[str]:
    """The command line that becomes `argv` through `child.py`, tied to this process's life."""
    dropped: list[str] = []
    if run_as is not None:
        dropped = ["--uid", str(run_as.uid), "--gid", str(run_as.gid)]
        if run_as.reach:
            dropped.append("--reach")
    return [
        *(sys.executable, "-I", "-S", str(_SHIM)),
        *("--parent", str(os.getpid()), "--death-signal", str(int(death_signal))),
        *dropped,
        "--",
        *argv,
    ]


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
    run_as: RunAs | None = None,
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `argv` in a session of its own, its output appended to `log`.

    Call it from a thread that lives as long as the child should: the kernel ties the
    parent-death signal to the thread that forked, not to the process.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            shim(argv, run_as, death_signal),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )


def run(
    argv: Sequence[str], *, env: Mapping[str, str], run_as: RunAs | None = None, cwd: Path
) -> None:
    """Run `argv` to its end. Raises RuntimeError with its output when it fails."""
    done = subprocess.run(
        shim(argv, run_as), env=dict(env), cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()
        raise RuntimeError(f"{Path(argv[0]).name} failed ({done.returncode}): {output}")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child is asked to end, and how long it may take until it is killed."""

    process: subprocess.Popen[bytes]
    first: int = signal.SIGTERM
    seconds: float = 15.0


def stop(
    process: subprocess.Popen[bytes], first: int = signal.SIGTERM, seconds: float = 15.0
) -> None:
    """End a child: ask with `first`, wait up to `seconds`, then kill whatever of it is left."""
    stop_together([Ending(process, first, seconds)])


def stop_together(children: Sequence[Ending]) -> None:
    """End children that do not need each other: all are asked before the first is waited for."""
    families = [members(one.process.pid) for one in children]
    asked = time.monotonic()
    for one in children:
        if one.process.poll() is None:
            one.process.send_signal(one.first)
    for one, family in zip(children, families, strict=True):
        with contextlib.suppress(subprocess.TimeoutExpired):
            one.process.wait(max(0.0, asked + one.seconds - time.monotonic()))
        kill([*family, *members(one.process.pid)])
        one.process.wait()


def members(leader: int) -> list[psutil.Process]:
    """The processes of a child: its descendants, and whoever is in the session it leads.

    Descendants alone would miss those whose parent died; the session alone would miss Postgres's
    own processes, which each open one.
    """
    found: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        top = psutil.Process(leader)
        found = [top, *top.children(recursive=True)]
    known = {one.pid for one in found}
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            if pid not in known and os.getsid(pid) == leader:
                found.append(psutil.Process(pid))
    return found


def kill(processes: Iterable[psutil.Process]) -> None:
    """SIGKILL each of them; psutil checks the start time, so a reused pid is never hit."""
    for one in processes:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            one.kill()


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, for an error message."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as stream:
        return _last(stream, lines)


def _last(stream: IO[bytes], lines: int) -> str:
    stream.seek(0, os.SEEK_END)
    stream.seek(max(0, stream.tell() - 16_384))
    return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])
