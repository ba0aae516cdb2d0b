"""`tinko backfill`: list past days at a PSP, heal what webhooks never told, keep the rest."""

# imports are inside the command, so that `--help` answers at once
# ruff: noqa: PLC0415

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

import typer

DAY = ["%Y-%m-%d"]


def backfill(
    connection: Annotated[uuid.UUID, typer.Option(help="The connection's id.")],
    first: Annotated[datetime, typer.Option("--from", formats=DAY, help="First day, UTC.")],
    last: Annotated[datetime, typer.Option("--to", formats=DAY, help="Last day, included.")],
) -> None:
    """List each day at the PSP: put what webhooks never told into the inbox, and keep its payments,
    refunds, disputes, settlement lines and payouts.

    Stopped, it goes on from where it was: listing a day again stores nothing twice.
    """
    from tinko_pipelines.cli import embedded_by_default

    embedded_by_default()
    from tinko_pipelines.core.clock import DatabaseClock
    from tinko_pipelines.core.db.engine import libpq_url, worker_engine
    from tinko_pipelines.core.errors import PspError
    from tinko_pipelines.core.inbox import backfill as work
    from tinko_pipelines.core.settings import get_settings
    from tinko_pipelines.core.tenants.desk import Desk

    settings = get_settings()
    clock = DatabaseClock(libpq_url(settings.database_worker_url))
    seat = Desk(worker_engine(), settings).seat(connection)
    done, healed = None, 0
    try:
        for done in work.backfill(worker_engine(), seat, clock, first.date(), last.date()):
            healed += done.healed
            typer.echo(
                f"{done.day}  {done.number}/{done.of}  {done.listed} listed, {done.healed} healed,"
                f" {done.lines} settlement lines"
            )
    except PspError as error:
        again = next_day(done.day) if done else first.date()
        typer.secho(
            f"tinko: stopped at {again}: {error.detail}\n"
            f"go on with: tinko backfill --connection {connection} --from {again}"
            f" --to {last.date()}",
            fg=typer.colors.RED,
            err=True,
        )
        raise typer.Exit(1) from None
    finally:
        clock.close()
    typer.echo(f"{healed} healed; the inbox works them off")


def next_day(day: date) -> date:
    """The day after."""
    return date.fromordinal(day.toordinal() + 1)
