"""The demo's own stack: real Postgres, ClickHouse, S3, mail, sandbox and API, on free ports."""

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
from tinko_pipelines.local.ports import Ports, free_ports
from tinko_pipelines.local.stack import Stack, open_stack
from tinko_pipelines.local.supervisor import Supervisor

# Dagster runs in the driver's process
PARTS = ("postgres", "clickhouse", "s3", "mail", "sandbox", "api")


@contextmanager
def stage(data: Path, parts: Sequence[str] = PARTS) -> Iterator[Stack]:
    """The stack, of these parts, started afresh in `data` (wiped first) and stopped after; this
    process's environment and settings are its.

    Raises what the supervisor raises: PartFailed names the part and shows the end of its log.
    """
    shutil.rmtree(data, ignore_errors=True)
    # others than those of `make up`, beside which the demo runs
    ports = free_ports()
    moved = {
        f"TINKO_{name.name.upper()}_PORT": str(getattr(ports, name.name)) for name in fields(Ports)
    }
    # it is wiped before each start
    stack = open_stack(Layout(data.resolve()), moved, durable=False)
    os.environ.update(stack.environment)
    get_settings.cache_clear()
    supervisor = Supervisor(stack, choose(parts), lambda text: None)
    with supervisor.running():
        yield stack
