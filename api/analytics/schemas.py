"""What the API says of figures. The fields of counts, money and ratios are made from the measures,
each described by its definition. Money stands only under a currency."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from tinko_pipelines.core.analytics.definitions import definition
from tinko_pipelines.core.analytics.reading.figures import is_money
from tinko_pipelines.core.analytics.reading.insights import Source
from tinko_pipelines.core.analytics.reading.measures import (
    MEASURES,
    RATIOS,
    SUMMARY,
    TRIES,
    Unit,
)


class Watermark(BaseModel):
    """What the figures are true to: a snapshot of the ledger."""

    model_config = ConfigDict(from_attributes=True)

    position: int = Field(
        description="every transaction of Postgres with an id below this one is in the figures"
    )
    at: datetime = Field(description="business time at which the ledger was looked at")
    marts_position: int | None = Field(
        description="the marts had come as far as this transaction; null where they were not read"
    )
    moved_debts: int = Field(
        description="debts that changed since `marts_position`, counted from Postgres"
    )


class Told(BaseModel):
    """What every answer says of itself."""

    source: Source = Field(
        description="`clickhouse`: the marts, in which nothing is missing; `clickhouse+postgres`:"
        " the marts, but what changed since they were built from the ledger; `postgres`: the"
        " ledger alone, because ClickHouse cannot answer now"
    )
    watermark: Watermark
    incomplete_before: date | None = Field(
        description="tries made before this day may be in the archive and not counted, nor their"
        " method known; null where nothing is missing"
    )
    first: date = Field(alias="from", description="first day counted (UTC)")
    last: date = Field(alias="to", description="last day counted (UTC)")


def _figures(name: str, measures: tuple[str, ...], *, money: bool) -> type[BaseModel]:
    """A model of counts and ratios, with `money` of one currency."""
    fact = MEASURES[measures[0]].fact
    of_counts = [one for one in measures if money or MEASURES[one].unit is Unit.COUNT]
    of_ratios = [one for one, of in RATIOS.items() if of is fact and (money or not is_money(one))]
    fields: dict[str, Any] = {
        one: (int, Field(description=definition(one).text)) for one in of_counts
    }
    fields |= {
        one: (
            float | None,
            Field(description=f"{definition(one).text} 0 to 1; null where there are none."),
        )
        for one in of_ratios
    }
    if money:
        fields = {"currency": (str, Field(description="ISO 4217"))} | fields
    return create_model(name, **fields)


DebtMoney = _figures("DebtMoney", SUMMARY, money=True)
DebtCounts = _figures("DebtCounts", SUMMARY, money=False)
TryMoney = _figures("TryMoney", TRIES, money=True)
TryCounts = _figures("TryCounts", TRIES, money=False)


class DebtFigures(DebtCounts):  # type: ignore[misc, valid-type]
    """Counts over all currencies, and counts and money of each."""

    money: list[DebtMoney] = Field(  # type: ignore[valid-type]
        description="per currency; money of different currencies is never added"
    )


class TryFigures(TryCounts):  # type: ignore[misc, valid-type]
    """Counts over all currencies, and counts and money of each."""

    money: list[TryMoney] = Field(  # type: ignore[valid-type]
        description="per currency; money of different currencies is never added"
    )


class Summary(Told, DebtFigures):
    """Debts that first failed in the range, and what became of them since."""


class Point(DebtFigures):
    start: date = Field(
        description="first day of the interval; a week's is its Monday, and may lie before the"
        " range: only days of the range are counted"
    )


class Series(Told):
    """One point per interval of the range, empty ones too."""

    interval: Literal["day", "week", "month"]
    points: list[Point]


class DebtGroup(DebtFigures):
    value: str = Field(description="of the dimension that `by` names")


class DebtBreakdown(Told):
    """Debts by a dimension, the largest group first."""

    by: str
    groups: list[DebtGroup]


class TryGroup(TryFigures):
    value: str = Field(description="of the dimension that `by` names")


class TryBreakdown(Told):
    """Tries by a dimension, the largest group first."""

    by: str
    groups: list[TryGroup]


class Cell(TryFigures):
    weekday: int = Field(ge=1, le=7, description=definition("payer_weekday").text)
    hour: int = Field(ge=0, le=23, description=definition("payer_hour").text)


class HeatMap(Told):
    """Tries made on debts that had failed before, by when it was for the payer; cells in which
    nothing was tried are left out."""

    cells: list[Cell]


class CurvePoint(BaseModel):
    days: int = Field(description="whole days (of 24 hours) since the first failure")
    recovered: int = Field(description="debts of the cohort that were back by then")
    share: float = Field(description=f"{definition('cohort_curve').text} 0 to 1.")


class MoneyPoint(CurvePoint):
    recovered_minor: int = Field(description="what those brought, in minor units of the currency")


class CohortMoney(BaseModel):
    currency: str = Field(description="ISO 4217")
    failed: int = Field(description=definition("failed").text)
    failed_minor: int = Field(description=definition("failed_minor").text)
    curve: list[MoneyPoint]


class Cohort(BaseModel):
    start: date = Field(description="first day of the interval in which the debts first failed")
    observed_days: int = Field(
        description="days that have passed for the youngest debt: beyond them the curve still rises"
    )
    failed: int = Field(description=definition("failed").text)
    curve: list[CurvePoint]
    money: list[CohortMoney]


class Cohorts(Told):
    """How many debts of a cohort were back after some days."""

    interval: Literal["day", "week", "month"]
    cohorts: list[Cohort]


class StepMoney(BaseModel):
    currency: str = Field(description="ISO 4217")
    debts: int
    minor: int = Field(description="in minor units of the currency")


class Step(BaseModel):
    """`minor` is what the debts come to, and from `recovered` on what they brought."""

    name: str
    meaning: str
    debts: int
    share_of_failed: float | None = Field(description="0 to 1; null where nothing failed")
    money: list[StepMoney]


class Funnel(Told):
    """Failed debts, those of them we retried or asked for, those of these that came back, and
    those of these that are settled: each step is a part of the one before. `beside` are steps that
    are not: how we reached debts, and all that came back whether we reached it or not."""

    steps: list[Step]
    beside: list[Step]


class Meaning(BaseModel):
    name: str = Field(description="of the field, parameter or dimension")
    kind: Literal["measure", "ratio", "dimension"]
    unit: str | None = Field(description="null for a dimension")
    text: str
    formula: str | None = Field(description="of a ratio, in SQL over measures")


class Meanings(BaseModel):
    items: list[Meaning]
