"""The frames that suites look at: pages of rows since the last check, with what follows of them.

Pandas, because Great Expectations takes nothing else here; a frame lives for one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.money import exponent
from tinko_pipelines.core.quality.suite import LEDGER, LISTINGS

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

# rows of one batch: enough that a suite's fixed cost is small beside it, 100 MB at most
BATCH = 50_000
DAY = 86_400.0
_LOWEST = {
    **dict.fromkeys(LEDGER, "00000000-0000-0000-0000-000000000000"),
    **dict.fromkeys(LISTINGS, ""),
}
# days between two instants of a row
_BETWEEN: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "attempts": (("sent_to_end_days", "submitted_at", "finished_at"),),
    "cases": (("opened_to_closed_days", "opened_at", "closed_at"),),
    "psp_records": (("created_to_captured_days", "created_at", "captured_at"),),
    "settlement_lines": (("created_to_settled_days", "created_at", "settled_at"),),
}
_SENT = ("succeeded", "failed", "pending", "requires_action", "unknown", "submitted")


@dataclass(frozen=True, slots=True)
class Window:
    """Transactions [low, high): those below `low` were checked, those from `high` may still run."""

    low: int
    high: int


def window(engine: Engine, frame: str) -> Window:
    """What of a frame is to be checked now."""
    with unit_of_work(engine) as connection:
        row = connection.execute(query("quality", "position"), {"frame": frame}).one()
    return Window(int(row.low), int(row.high))


def pages(
    engine: Engine, frame: str, within: Window, now: datetime, size: int = BATCH
) -> Iterator[pd.DataFrame]:
    """The rows of a window, at most `size` at a time, by (row_version, id)."""
    version, key = within.low, _LOWEST[frame]
    while True:
        values = {
            "low": within.low,
            "high": within.high,
            "after_version": version,
            "after_key": key,
            "size": size,
        }
        with unit_of_work(engine) as connection:
            found = connection.execute(query("quality", f"check_{frame}"), values)
            columns, rows = list(found.keys()), found.fetchall()
        if not rows:
            return
        yield derived(frame, columns, rows, now)
        if len(rows) < size:
            return
        version, key = rows[-1].row_version, rows[-1].id


def derived(
    frame: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], now: datetime
) -> pd.DataFrame:
    """Rows as a frame, with money in whole units (`_major`), the age of instants in days before
    `now` (`_age_days`), and the days between some of them."""
    import pandas as pd  # noqa: PLC0415 (half a second, and only who checks needs it)

    made = pd.DataFrame([tuple(row) for row in rows], columns=list(columns))
    scale = made["currency"].map(lambda code: 10.0 ** exponent(code)) if "currency" in made else 1.0
    for name in [one for one in made.columns if one.endswith("_minor")]:
        made[f"{name.removesuffix('_minor')}_major"] = made[name] / scale
    for name in [one for one in made.columns if one.endswith("_at")]:
        made[name] = pd.to_datetime(made[name], utc=True, errors="coerce")
        made[f"{name}_age_days"] = (now - made[name]).dt.total_seconds() / DAY
    for name, first, last in _BETWEEN.get(frame, ()):
        made[name] = (made[last] - made[first]).dt.total_seconds() / DAY
    more = _MORE.get(frame)
    if more is not None:
        more(made)
    return made


def _of_attempts(made: pd.DataFrame) -> None:
    made["is_sent"] = (made["actor"] == "tinko") & made["state"].isin(_SENT)


def _of_obligations(made: pd.DataFrame) -> None:
    # null where there is no third decimal, and so nothing to ask of it
    three = made["currency"].map(exponent) == 3
    made["due_third_decimal"] = (made["due_minor"] % 10).where(three)


def _of_lines(made: pd.DataFrame) -> None:
    paid = (made["kind"] == "payment") & (made["gross_minor"] > 0)
    made["fee_share"] = (made["fee_minor"] / made["gross_minor"]).where(paid)


_MORE: Mapping[str, Callable[[Any], None]] = {
    "attempts": _of_attempts,
    "obligations": _of_obligations,
    "settlement_lines": _of_lines,
}
