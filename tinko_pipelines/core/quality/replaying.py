"""The ways back out of the quarantine, one for each source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.errors import Conflict
from tinko_pipelines.core.quality.model import Source
from tinko_pipelines.core.quality.quarantine import (
    Replayer,
    Which,
    replay,
    replay_debts,
    replay_events,
)
from tinko_pipelines.core.quality.screen import replay_listed

REPLAYERS: Mapping[Source, Replayer] = {
    Source.INBOX: replay_events,
    Source.LISTING: replay_listed,
    Source.LEDGER: replay_debts,
}


def _not_the_tenants(connection: Connection, rows: Sequence[Row[Any]], now: datetime) -> None:
    raise Conflict(
        f"{rows[0].frame} are the PSP's own word, which only the platform's operators load:"
        " ask them for `tinko quarantine replay`"
    )


# a tenant reads what its PSPs listed and writes none of it
TENANTS = {**REPLAYERS, Source.LISTING: _not_the_tenants}


def let_back(
    connection: Connection,
    which: Which,
    now: datetime,
    by: str,
    replayers: Mapping[Source, Replayer] = REPLAYERS,
) -> int:
    """Let entries back; how many. Raises NotFound, Conflict."""
    return replay(connection, which, now, by, replayers)
