"""What the overview page shows, worked out before the template sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from api.console_api import repository as totals
from api.payments import repository as payments
from api.services import Services
from tinko_pipelines.core.clock import Clock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ledger.states import COUNTED_ATTEMPTS, CaseState
from tinko_pipelines.core.money import Money
from tinko_pipelines.core.tenants.organisations import Organisation, list_organisations

LAST_CASES = 12
DAYS = 30
# pages polled by many browsers cost the database one reading in this many seconds
_MAX_AGE = 2.0

CHART_WIDTH, CHART_HEIGHT = 600, 96

# how people read the states, in the order of the bar
STATE_LABELS = {
    CaseState.RECOVERED: "recovered",
    CaseState.SETTLED: "settled",
    CaseState.RETRYING: "retrying",
    CaseState.AWAITING_PAYER: "waiting for the payer",
    CaseState.OPEN: "open",
    CaseState.DISPUTED: "disputed",
    CaseState.REVERSED: "reversed",
    CaseState.EXHAUSTED: "exhausted",
    CaseState.CANCELLED: "cancelled",
}
ACTOR_LABELS = {
    "merchant": "the merchant",
    "psp": "the PSP by itself",
    "tinko": "Tinko",
    "payer": "the payer",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the case bar; `x` and `width` in per cent."""

    state: str
    label: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of the chart, in chart units."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class MoneyCard:
    currency: str
    recovered: str
    at_risk: str
    lost: str
    share: float  # per cent of what failed and came back
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class ActorLine:
    label: str
    tried: int
    succeeded: int


@dataclass(frozen=True, slots=True)
class CaseRow:
    state: str
    state_label: str
    title: str
    amount: str
    psp: str
    why: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class OrganisationView:
    name: str
    counts: Mapping[str, int]
    cases: int
    segments: list[Segment]
    money: list[MoneyCard]
    actors: list[ActorLine]
    last: list[CaseRow]


class OverviewReader:
    """Reads every organisation's totals, at most every two seconds.

    Which organisations there are is asked as tinko_worker, the only role that sees them all; what
    they hold is read as tinko_readonly, one tenant at a time under row-level security.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._views: list[OrganisationView] = []
        self._read_at = float("-inf")

    def read(self, services: Services) -> list[OrganisationView]:
        with self._lock:
            if time.monotonic() - self._read_at > _MAX_AGE:
                self._views = _read(services)
                self._read_at = time.monotonic()
            return self._views


def business_time(clock: Clock) -> tuple[datetime, str]:
    """The business instant, and how it runs against the wall."""
    rate = clock.rate()
    words = "live" if rate == 1 else "standing" if rate == 0 else f"{rate:g} times as fast"
    return clock.now(), words


def _read(services: Services) -> list[OrganisationView]:
    with services.worker.connect() as connection:
        organisations = list_organisations(connection)
    now = services.clock.now()
    views = []
    for organisation in organisations:
        with unit_of_work(services.readonly, organisation.org_id) as connection:
            found = totals.overview(connection)
            by_day = totals.recovered_by_day(connection, now, DAYS)
            last = payments.cases_page(connection, LAST_CASES)
        views.append(organisation_view(organisation, found, by_day, last))
    return views


def organisation_view(
    organisation: Organisation,
    found: Mapping[str, Any],
    by_day: Mapping[str, Sequence[int]],
    last: Sequence[RowMapping],
) -> OrganisationView:
    """Pure: totals and rows in, labels and chart coordinates out."""
    counts = {
        name: found[name] for name in ("obligations", "failures", "inbox_pending", "findings")
    }
    return OrganisationView(
        name=organisation.name,
        counts=counts,
        cases=sum(found["cases"].values()),
        segments=segments(found["cases"]),
        money=[money_card(row, by_day.get(row["currency"], ())) for row in found["money"]],
        actors=[
            ActorLine(
                label,
                sum(count for state, count in states.items() if state in COUNTED_ATTEMPTS),
                states.get("succeeded", 0),
            )
            for actor, label in ACTOR_LABELS.items()
            if (states := found["attempts"].get(actor))
        ],
        last=[case_row(row) for row in last],
    )


def segments(cases: Mapping[str, int]) -> list[Segment]:
    """The case bar: states that have cases, in a fixed order, adding up to 100."""
    whole = sum(cases.values())
    x, made = 0.0, []
    for state, label in STATE_LABELS.items():
        count = cases.get(state, 0)
        if count:
            width = 100 * count / whole
            made.append(Segment(state, label, count, round(x, 3), round(width, 3)))
            x += width
    return made


def money_card(row: Mapping[str, Any], daily: Sequence[int]) -> MoneyCard:
    """One currency's card, with a bar per day."""
    currency = row["currency"]
    recovered, at_risk, lost = (
        row[name] for name in ("recovered_minor", "at_risk_minor", "lost_minor")
    )
    whole = recovered + at_risk + lost
    return MoneyCard(
        currency,
        Money(recovered, currency).format(),
        Money(at_risk, currency).format(),
        Money(lost, currency).format(),
        round(100 * recovered / whole, 1) if whole > 0 else 0.0,
        bars(daily, currency),
    )


def bars(daily: Sequence[int], currency: str) -> list[Bar]:
    """Bars of one chart; days with nothing keep a hairline, so that time stays readable."""
    if not daily:
        return []
    top = max(*daily, 1)
    step = CHART_WIDTH / len(daily)
    made = []
    for index, value in enumerate(daily):
        height = max(1.0, CHART_HEIGHT * max(value, 0) / top)
        ago = len(daily) - 1 - index
        when = "today" if ago == 0 else f"{ago} days ago" if ago > 1 else "yesterday"
        made.append(
            Bar(
                round(index * step + step * 0.15, 2),
                round(CHART_HEIGHT - height, 2),
                round(step * 0.7, 2),
                round(height, 2),
                f"{when}: {Money(value, currency).format()}",
            )
        )
    return made


def case_row(row: Mapping[str, Any]) -> CaseRow:
    """One line of the table of cases."""
    why = (row["category"] or "not classified yet").replace("_", " ")
    return CaseRow(
        state=row["state"],
        state_label=STATE_LABELS[CaseState(row["state"])],
        title=row["description"] or str(row["obligation_id"]),
        amount=Money(row["due_minor"], row["currency"]).format(),
        psp=str(row["psp"]).capitalize(),
        why=why,
        opened_at=row["opened_at"],
    )
