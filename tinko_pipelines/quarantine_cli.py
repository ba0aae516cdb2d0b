"""`tinko quarantine …`: rows that were set aside, let back or given up."""

# imports are inside the commands, so that `--help` answers at once
# ruff: noqa: PLC0415

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from tinko_pipelines.core.quality.quarantine import Which

app = typer.Typer(help="Rows that checks refused.", no_args_is_help=True)

Ids = Annotated[list[uuid.UUID] | None, typer.Argument(metavar="[ID]…", help="Entries.")]
Reason = Annotated[str | None, typer.Option(help="All that this check holds.")]
Decide = Callable[["Connection", "Which", "datetime", str], int]


@app.command("list")
def list_entries(
    state: Annotated[str, typer.Option(help="quarantined, replayed, dropped or all.")] = (
        "quarantined"
    ),
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")] = 50,
) -> None:
    """Show entries, newest first."""
    from rich.console import Console
    from rich.table import Table

    from tinko_pipelines.cli import embedded_by_default, fail

    embedded_by_default()
    from tinko_pipelines.core.db.engine import unit_of_work, worker_engine
    from tinko_pipelines.core.quality.model import QuarantineState
    from tinko_pipelines.core.quality.quarantine import held

    if state != "all" and state not in set(QuarantineState):
        fail(f"--state is {', '.join(QuarantineState)} or all, not {state}")
    wanted = None if state == "all" else QuarantineState(state)
    with unit_of_work(worker_engine()) as connection:
        rows = held(connection, state=wanted, reason=reason, limit=limit)
    table = Table("id", "state", "of", "key", "refused by", "times", "first seen", "detail")
    for row in rows:
        table.add_row(
            str(row["id"]),
            row["state"],
            f"{row['source']} {row['frame']}",
            row["key"],
            "\n".join(row["reasons"]),
            str(row["times"]),
            f"{row['first_seen']:%Y-%m-%d %H:%M}",
            row["detail"],
        )
    Console().print(table)


@app.command("replay")
def replay_entries(ids: Ids = None, reason: Reason = None) -> None:
    """Let entries back; what is refused again is held again."""
    from tinko_pipelines.core.quality.replaying import let_back

    typer.echo(f"{_decide(let_back, ids, reason)} let back")


@app.command("drop")
def drop_entries(ids: Ids = None, reason: Reason = None) -> None:
    """Give entries up for good."""
    from tinko_pipelines.core.quality.quarantine import drop

    typer.echo(f"{_decide(drop, ids, reason)} given up")


def _decide(decide: Decide, ids: list[uuid.UUID] | None, reason: str | None) -> int:
    from tinko_pipelines.cli import embedded_by_default

    embedded_by_default()
    from tinko_pipelines.core.clock import DatabaseClock
    from tinko_pipelines.core.db.engine import libpq_url, unit_of_work, worker_engine
    from tinko_pipelines.core.quality.quarantine import Which
    from tinko_pipelines.core.settings import get_settings

    clock = DatabaseClock(libpq_url(get_settings().database_worker_url))
    try:
        with unit_of_work(worker_engine()) as connection:
            which = Which(tuple(ids or ()), reason)
            return decide(connection, which, clock.now(), f"cli:{getpass.getuser()}")
    finally:
        clock.close()
