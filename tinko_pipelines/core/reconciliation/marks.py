"""How far reconciliation has read what was written, as the sink's watermarks do and beside them.

A position is a transaction id; core/analytics/watermark.py has why nothing can turn up below it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query

_SINK = "reconciliation"


@dataclass(frozen=True, slots=True)
class Mark:
    """One reader of what was written to the books, by its name."""

    name: str

    @property
    def _row(self) -> dict[str, str]:
        return {"sink": _SINK, "relation": self.name}

    def position(self, connection: Connection) -> int | None:
        """Below which all was read; None before the first time."""
        found = connection.execute(query("analytics", "watermark"), self._row).scalar_one_or_none()
        return None if found is None else int(found)

    def window(self, engine: Engine) -> tuple[int, int]:
        """The half-open range of transactions to read now: from the beginning at first, and after a
        restore into a new cluster, whose transactions count from anew."""
        with unit_of_work(engine) as connection:
            high = int(connection.execute(query("analytics", "snapshot_floor")).scalar_one())
            low = self.position(connection) or 0
            if low > high:
                connection.execute(query("analytics", "rewind_watermark"), self._row)
                low = 0
        return low, high

    def advance(self, engine: Engine, position: int, at: datetime, read: int = 0) -> None:
        """All below `position` is read; `read` rows came of it. It never goes back."""
        with unit_of_work(engine) as connection:
            connection.execute(
                query("analytics", "advance_watermark"),
                self._row | {"position": position, "carried": read, "at": at},
            )
