"""`tinko up` and `tinko down`."""

from __future__ import annotations

import os
import time

from rich.console import Console
from rich.table import Table

from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.local import bootstrapping
from tinko_pipelines.local.parts import PARTS, choose
from tinko_pipelines.local.runfile import RunFile, stop_supervisor
from tinko_pipelines.local.stack import Stack
from tinko_pipelines.local.supervisor import Interrupted, Supervisor
from tinko_pipelines.local.traffic import Traffic


def up(stack: Stack, only: list[str], console: Console) -> None:
    """Start the parts, print one readiness table, and stay until a signal ends it.

    Raises TinkoError when it cannot start and KeyError for an unknown part; whatever had been
    started is stopped by then.
    """
    parts = choose(only)
    os.environ.update(stack.environment)
    # a malformed setting stops the start here, in one line, and not in some child's log
    get_settings()
    Traffic.from_environment(stack.environment)
    supervisor = Supervisor(
        stack, parts, lambda text: console.print(text, markup=False, highlight=False)
    )
    began = time.monotonic()
    try:
        with supervisor.running():
            rows: bootstrapping.Rows = []
            if len(parts) == len(PARTS):
                try:
                    rows = bootstrapping.call(stack.environment)
                except RuntimeError:
                    # a Ctrl-C in the terminal reaches that process too
                    if supervisor.stopping:
                        raise Interrupted from None
                    raise
            console.print(readiness(supervisor, rows))
            took = time.monotonic() - began
            console.print(f"Ready after {took:.0f} s. Ctrl-C stops everything.", highlight=False)
            supervisor.watch()
            console.print("stopping")
    except Interrupted:
        console.print("stopped before it was ready")
        return
    console.print("stopped")


def readiness(supervisor: Supervisor, rows: bootstrapping.Rows) -> Table:
    """The one table: each part that has an address, then what the demo's bootstrap has to say."""
    table = Table(title="Tinko Recovery", title_justify="left", show_header=True)
    table.add_column("what", no_wrap=True)
    table.add_column("where", overflow="fold")
    table.add_column("state")
    for child in supervisor.children:
        missing = child.probe() if child.probe else "not started"
        address = child.part.address(supervisor.stack) or ""
        table.add_row(child.part.name, address, missing or "ready")
    for label, value in rows:
        table.add_row(label, value, "")
    return table


def down(stack: Stack, console: Console) -> None:
    """Stop the running stack, or end what a killed supervisor left behind."""
    record = RunFile.read(stack.layout.run_file)
    if stop_supervisor(record, stack.layout.lock_file):
        console.print("the stack was stopped")
    ended = RunFile.read(stack.layout.run_file).end_leftovers()
    if ended:
        console.print(f"ended what had been left running: {', '.join(ended)}")
    elif record.supervisor is None:
        console.print("nothing is running")
