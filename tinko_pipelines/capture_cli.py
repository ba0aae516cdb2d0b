"""`tinko capture`: take the money of a payment that its PSP holds, or say why it is to lapse."""

# imports are inside the command, so that `--help` answers at once
# ruff: noqa: PLC0415

from __future__ import annotations

import uuid
from typing import Annotated

import typer


def capture(
    payment: Annotated[str, typer.Argument(help="The PSP's id of the authorised payment.")],
    connection: Annotated[uuid.UUID, typer.Option(help="The connection it was made at.")],
) -> None:
    """Capture the whole of an authorised payment, for merchants who capture by hand.

    It is read afresh under its debt's lock first. Where the debt is paid, or anything else of it
    is being paid or can be, nothing is taken: the payment is left to lapse, with exit code 1.
    """
    from tinko_pipelines.cli import embedded_by_default

    embedded_by_default()
    from tinko_pipelines.core.clock import DatabaseClock, WallClock
    from tinko_pipelines.core.db.engine import libpq_url, unit_of_work, worker_engine
    from tinko_pipelines.core.ledger.refs import debt_of
    from tinko_pipelines.core.recovery import capturing
    from tinko_pipelines.core.settings import get_settings
    from tinko_pipelines.core.tenants.desk import Desk

    settings, engine = get_settings(), worker_engine()
    seat = Desk(engine, settings).seat(connection)
    with unit_of_work(engine, seat.account.org_id) as unit:
        debt = debt_of(unit, connection, payment)
    clock = DatabaseClock(libpq_url(settings.database_worker_url))
    timeout = settings.psp_timeout_seconds
    try:
        capturing.capture(engine, seat, debt, payment, clock, WallClock(), timeout)
    finally:
        clock.close()
    typer.echo(f"{payment}: captured")
