"""The demo's own stack: real Postgres, ClickHouse, mail, sandbox and API, on free ports."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.local.layout import Layout
from tinko_pipelines.local.parts import choose
from tinko_pipelines.local.ports import Ports, is_free
from tinko_pipelines.local.stack import Stack, open_stack
from tinko_pipelines.local.supervisor import Supervisor

# Dagster runs in the driver's process, S3 has nothing to do yet
PARTS = ("postgres", "clickhouse", "mail", "sandbox", "api")


def free_ports(low: int = 18_000, high: int = 19_900) -> Ports:
    """A port for each part, all of them free now, so that the demo runs beside `make up`."""
    wanted, found = [item.name for item in fields(Ports)], list[int]()
    candidate = low + os.getpid() * 13 % (high - low)
    while len(found) < len(wanted):
        candidate = low if candidate >= high else candidate + 1
        if is_free(candidate):
            found.append(candidate)
    return Ports(**dict(zip(wanted, found, strict=True)))


@contextmanager
def stage(data: Path, parts: Sequence[str] = PARTS) -> Iterator[Stack]:
    """The stack, of these parts, started afresh in `data` (wiped first) and stopped after; this
    process's environment and settings are its.

    Raises what the supervisor raises: PartFailed names the part and shows the end of its log.
    """
    shutil.rmtree(data, ignore_errors=True)
    ports = free_ports()
    moved = {
        f"TINKO_{name.name.upper()}_PORT": str(getattr(ports, name.name)) for name in fields(Ports)
    }
    stack = open_stack(Layout(data.resolve()), moved)
    os.environ.update(stack.environment)
    get_settings.cache_clear()
    supervisor = Supervisor(stack, choose(parts), lambda text: None)
    with supervisor.running():
        yield stack
