"""One batch: all rows since the last check, frame by frame, before what reads them next.

Rows that an `error` check refuses are set aside and the rest flows: a row of the ledger is hidden
from the analytics store with its whole debt, so that no mart sees half a debt; a listed row leaves
its table before it is reconciled. Where more rows than a few are refused, the rows are not the
fault: nothing is set aside, the frame is not done, and what would read it next has to wait.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine

from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.quality.baseline import failure_mix
from tinko_pipelines.core.quality.expectations import KEY, Answer, Examined, Session, examine
from tinko_pipelines.core.quality.frames import BATCH, Window, pages, window
from tinko_pipelines.core.quality.model import Aside, Refusal, Source
from tinko_pipelines.core.quality.quarantine import set_aside
from tinko_pipelines.core.quality.suite import LEDGER, LISTINGS, Ask, suite

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

# so many refused rows are set aside whatever their share is; past them, this share of a batch
FEW, SHARE = 20, 0.05


@dataclass
class Checked:
    """A frame's batch. `aside` rows were set aside, or would have been where it was `stopped`."""

    frame: str
    window: Window
    pages: list[Examined] = field(default_factory=list)
    aside: int = 0
    stopped: bool = False

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.pages)

    def answers(self) -> list[Answer]:
        """One answer per check over all pages; an empty batch passes each."""
        return [self._over_pages(ask) for ask in suite(self.frame).asks]

    def _over_pages(self, ask: Ask) -> Answer:
        mine = [one for page in self.pages for one in page.answers if one.ask.name == ask.name]
        said = [one for one in mine if one.skipped is None]
        if not said:
            why = next((one.skipped for one in mine), "no rows since the last check")
            return Answer(ask, rows=self.rows, skipped=why)
        return Answer(
            ask,
            tuple(unmet for one in said for unmet in one.unmet),
            frozenset[str]().union(*(one.refused for one in said)),
            sum(one.rows for one in said),
        )


def check(
    engine: Engine,
    clock: Clock,
    frames: Iterable[str] = LEDGER + LISTINGS,
    size: int = BATCH,
) -> tuple[list[Checked], Session]:
    """Check each frame's rows since its last check; the session holds what its pages are made of.

    `engine` sees every tenant (tinko_worker).
    """
    now, session = clock.now(), Session()
    done = [_check(engine, frame, now, size, session) for frame in frames]
    hide(engine)
    return done, session


def hide(engine: Engine) -> int:
    """Hold back all rows of the debts in quarantine that changed meanwhile; how many debts there
    are. Cheap, and needed before every load."""
    with unit_of_work(engine) as connection:
        debts = list(connection.scalars(query("quality", "hidden_debts")))
        if debts:
            connection.execute(query("quality", "hide_debts"), {"debt_ids": debts})
    return len(debts)


def too_many(refused: int, rows: int) -> bool:
    """Whether so many refused rows of a batch speak of a fault of ours. Pure."""
    return refused > max(FEW, SHARE * rows)


def _check(engine: Engine, frame: str, now: datetime, size: int, session: Session) -> Checked:
    done = Checked(frame, window(engine, frame))
    parameters: dict[str, Any] = {}
    if frame == "failures":
        parameters["failure_mix"] = failure_mix(engine, done.window.low, now)
    refused: list[Aside] = []
    for page in pages(engine, frame, done.window, now, size):
        examined = examine(suite(frame), page, parameters, session)
        done.pages.append(examined)
        refused += _asides(frame, page, examined)
    done.aside, done.stopped = len(refused), too_many(len(refused), done.rows)
    if done.stopped:
        return done
    with unit_of_work(engine) as connection:
        set_aside(connection, _taken(connection, frame, refused), now)
        values = {"frame": frame, "position": done.window.high, "rows": done.rows, "now": now}
        connection.execute(query("quality", "advance"), values)
    return done


def _asides(frame: str, page: pd.DataFrame, examined: Examined) -> list[Aside]:
    refusals = examined.refusals
    if not refusals:
        return []
    seen = {one.ask.name: one for one in examined.answers}
    rows = page[page[KEY].isin(refusals)].to_dict("records")
    source = Source.LEDGER if frame in LEDGER else Source.LISTING
    return [
        Aside(
            uuid.UUID(row["org_id"]),
            source,
            frame,
            row[KEY],
            Refusal(
                tuple(refusals[row[KEY]]),
                "; ".join(f"{name}: {seen[name].ask.says}" for name in refusals[row[KEY]]),
            ),
            {str(name): _plain(value) for name, value in row.items()},
            uuid.UUID(row["debt_id"]) if source is Source.LEDGER else None,
        )
        for row in rows
    ]


def _taken(connection: Connection, frame: str, refused: Sequence[Aside]) -> Sequence[Aside]:
    """Listed rows leave their table, and the quarantine keeps them whole."""
    if frame not in LISTINGS or not refused:
        return refused
    keys = [one.key.split(" ", 1) for one in refused]
    values = {"connection_ids": [one[0] for one in keys], "keys": [one[1] for one in keys]}
    rows = connection.execute(query("quality", f"take_{frame}"), values)
    payloads: Mapping[str, Mapping[str, Any]] = {row.id: row.payload for row in rows}
    # a row that left meanwhile is nobody's any more
    return [
        Aside(one.org_id, one.source, one.frame, one.key, one.refusal, payloads[one.key])
        for one in refused
        if one.key in payloads
    ]


def _plain(value: Any) -> Any:
    """A value as JSON has it: pandas' missing values are null, its numbers and instants plain."""
    if value is None or value != value:  # noqa: PLR0124 (only what is missing differs from itself)
        return None
    if hasattr(value, "item"):
        value = value.item()
    return value.isoformat() if isinstance(value, (datetime, date)) else value
