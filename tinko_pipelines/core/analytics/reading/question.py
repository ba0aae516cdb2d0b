"""A question: what is counted, by what, of which days and of which rows. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from tinko_pipelines.core.analytics.reading.errors import RangeInvalid, RangeTooLong
from tinko_pipelines.core.analytics.reading.measures import MARTS, MEASURES, Fact, Mart

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Span:
    """Days (UTC) from `first` to `last`, both counted: of the first failure of a debt, or the day
    a try was made. Raises RangeInvalid, RangeTooLong."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise RangeInvalid(f"from ({self.first}) is after to ({self.last})")
        if self.days > MOST_DAYS:
            raise RangeTooLong(
                f"{self.first} to {self.last} are {self.days} days; ask for {MOST_DAYS} at most",
                most_days=MOST_DAYS,
            )

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows count: of each filter any of its values, and all where it has none."""

    psp: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    currency: tuple[str, ...] = ()
    connection_id: tuple[uuid.UUID, ...] = ()

    @property
    def given(self) -> Mapping[str, list[str]]:
        """The filters that have values, as text, by the column they look at."""
        named = {
            "psp": self.psp,
            "method": self.method,
            "category": self.category,
            "currency": self.currency,
            "connection_id": self.connection_id,
        }
        return {name: [str(one) for one in values] for name, values in named.items() if values}


@dataclass(frozen=True)
class Question:
    """`measures` of one fact by `dimensions`, always per currency too. `only`: a condition on the
    fact's rows (measures.AGAIN). Raises ValueError for measures of two facts."""

    measures: tuple[str, ...]
    span: Span
    by: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    only: str = ""

    def __post_init__(self) -> None:
        if len({MEASURES[name].fact for name in self.measures}) != 1:
            raise ValueError(f"measures of one fact, please: {self.measures}")

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What each figure is of; the currency comes last."""
        return (*self.by, "currency")

    @cached_property
    def fact(self) -> Fact:
        """What is counted."""
        return MEASURES[self.measures[0]].fact

    @cached_property
    def marts(self) -> Mapping[Mart, tuple[str, ...]] | None:
        """The marts that answer together, with what each is asked for; None where one of the
        measures is in no mart by these dimensions, so that the fact itself must be read."""
        wanted = frozenset(self.dimensions)
        found: dict[Mart, tuple[str, ...]] = {}
        for name in self.measures:
            able = (one for one in MARTS if one.answers(name, wanted, self.only))
            mart = next((one for one in able if one.fact is self.fact), None)
            if mart is None:
                return None
            found[mart] = (*found.get(mart, ()), name)
        return found
