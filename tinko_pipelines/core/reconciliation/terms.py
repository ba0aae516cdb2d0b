"""T+n: until when a capture should be settled, by each PSP's terms and its banks' holidays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tinko_pipelines.core.guards.banking_days import holidays_of, is_banking_day
from tinko_pipelines.core.psp.types import Psp

_FILE = Path(__file__).with_name("terms.yaml")


class Term(BaseModel):
    """One row of terms.yaml. `saturdays_off`: which of a month's Saturdays banks are closed on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    psp: Psp
    zone: str
    business_days: int = Field(ge=0, le=30)
    grace_days: int = Field(ge=0, le=30)
    country: str = Field(pattern=r"^[A-Z]{2}$")
    saturdays_off: tuple[int, ...]
    source: str = Field(min_length=8)
    checked: date
    certainty: Literal["rule", "reported", "own"]

    def is_open(self, day: date) -> bool:
        """Whether its banks work on `day`."""
        closed = holidays_of(self.country, None, day.year)
        return is_banking_day(day, closed, self.saturdays_off)

    def due_on(self, captured_at: datetime) -> date:
        """The local day by whose end a capture should be in a payout, grace not counted."""
        day = captured_at.astimezone(ZoneInfo(self.zone)).date()
        return self._ahead(day, self.business_days)

    def overdue_before(self, now: datetime) -> datetime:
        """Captures before this instant should have been settled by `now`, grace included."""
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        days = self.business_days + self.grace_days
        # the first local day that is not late yet: holidays and weekends push it back
        day = today - timedelta(days=2 * days + 30)
        while self._ahead(day, days) < today:
            day += timedelta(days=1)
        return datetime.combine(day, time.min, zone).astimezone(UTC)

    def _ahead(self, day: date, count: int) -> date:
        while count > 0:
            day += timedelta(days=1)
            count -= self.is_open(day)
        return day


@cache
def terms() -> Mapping[Psp, Term]:
    """The terms by PSP. Raises pydantic.ValidationError for a malformed row."""
    rows = TypeAdapter(list[Term]).validate_python(yaml.safe_load(_FILE.read_text()))
    found: dict[Psp, Term] = {}
    for row in rows:
        found.setdefault(row.psp, row)
    return found
