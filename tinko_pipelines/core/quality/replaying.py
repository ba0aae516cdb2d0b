"""The ways back out of the quarantine, one for each source."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

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


def let_back(connection: Connection, which: Which, now: datetime, by: str) -> int:
    """Let entries back; how many. Raises NotFound, Conflict."""
    return replay(connection, which, now, by, REPLAYERS)
