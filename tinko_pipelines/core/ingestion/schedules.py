"""How often each connection is paid out: the PSP's own word, asked behind a listing of payouts."""

from __future__ import annotations

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PspError
from tinko_pipelines.core.tenants.desk import Seat


def note_schedule(engine: Engine, seat: Seat, clock: Clock) -> None:
    """Ask, and keep what was said; where it is another than before, the days whose money is in the
    balance are to be reconciled again. A PSP that does not answer has said what it said before."""
    try:
        said = seat.adapter.payout_interval()
    except PspError:
        return
    account = seat.account
    values = {"connection_id": account.connection_id, "org_id": account.org_id, "now": clock.now()}
    with unit_of_work(engine) as connection:
        wanted = values | {"interval": said and said.value}
        if connection.execute(query("ingestion", "note_schedule"), wanted).rowcount:
            connection.execute(query("ingestion", "note_unpaid_days"), values)
