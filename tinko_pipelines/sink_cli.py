"""`tinko sink run`: the ledger to the analysts' stores, as ANALYTICS_SINK_TYPE says, now."""

# imports are inside the command, so that `--help` answers at once
# ruff: noqa: PLC0415

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="The ledger's copies for analysts.", no_args_is_help=True)


@app.callback()
def sink() -> None:
    """So that `run` has to be said."""


@app.command("run")
def run(
    again: Annotated[
        bool,
        typer.Option("--again", help="Everything from the first row on: as after a store's loss."),
    ] = False,
) -> None:
    """Carry what changed to each store; one that is away keeps no other waiting.

    Carried again, rows that are still there replace themselves.
    """
    from tinko_pipelines.cli import embedded_by_default

    embedded_by_default()
    from tinko_pipelines.core.analytics.sink import run_wanted
    from tinko_pipelines.core.clock import DatabaseClock
    from tinko_pipelines.core.db.engine import libpq_url, worker_engine
    from tinko_pipelines.core.settings import get_settings

    settings = get_settings()
    clock = DatabaseClock(libpq_url(settings.database_worker_url))
    try:
        carried = run_wanted(worker_engine(), clock, settings, again=again)
    finally:
        clock.close()
    for target, rows in carried.items():
        brought = {relation: count for relation, count in rows.items() if count}
        shown = ", ".join(f"{count} {relation}" for relation, count in brought.items())
        typer.echo(f"{target}: {shown or 'nothing new'}")
    if not carried:
        typer.echo("ANALYTICS_SINK_TYPE is none: nothing is carried")
