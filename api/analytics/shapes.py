"""An answer's totals in the shapes that people look at. Counts are added over currencies, money
never is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from tinko_pipelines.core.analytics.definitions import definition
from tinko_pipelines.core.analytics.reading.figures import Key, Totals, added, counts, ratios
from tinko_pipelines.core.analytics.reading.insights import Answer
from tinko_pipelines.core.analytics.reading.measures import (
    BESIDE,
    DIMENSIONS,
    MEASURES,
    RATIOS,
    STEPS,
    Unit,
)
from tinko_pipelines.core.analytics.reading.question import Span


def told(answer: Answer, span: Span) -> dict[str, Any]:
    """What an answer says of itself."""
    return {
        "source": answer.source,
        "watermark": answer.watermark,
        "incomplete_before": answer.incomplete_before,
        "from": span.first,
        "to": span.last,
    }


def by_group(totals: Totals) -> Mapping[Key, dict[str, Mapping[str, int]]]:
    """The figures of each group by currency, which is the last of a question's dimensions."""
    groups: defaultdict[Key, dict[str, Mapping[str, int]]] = defaultdict(dict)
    for key in sorted(totals):
        groups[key[:-1]][key[-1]] = totals[key]
    return groups


def figures(
    of_currency: Mapping[str, Mapping[str, int]], measures: tuple[str, ...]
) -> dict[str, Any]:
    """Counts over all currencies with their ratios, and of each currency its money too."""
    fact = MEASURES[measures[0]].fact
    over_all = counts(_sum(measures, of_currency.values()))
    return {
        **over_all,
        **ratios(fact, over_all, money=False),
        "money": [
            {"currency": currency, **values, **ratios(fact, values, money=True)}
            for currency, values in of_currency.items()
        ],
    }


def groups(totals: Totals, measures: tuple[str, ...]) -> list[dict[str, Any]]:
    """One dimension's values, the largest first."""
    found = [
        {"value": str(key[0]), **figures(of_currency, measures)}
        for key, of_currency in by_group(totals).items()
    ]
    return sorted(found, key=lambda group: (-group[measures[0]], group["value"]))


def series(
    totals: Totals, measures: tuple[str, ...], interval: str, span: Span
) -> list[dict[str, Any]]:
    """Every interval of the range, in order."""
    known = by_group(totals)
    return [
        {"start": start, **figures(known.get((start,), {}), measures)}
        for start in starts(interval, span)
    ]


def starts(interval: str, span: Span) -> Iterator[date]:
    """The first day of each interval that has a day in the range."""
    start = _start(interval, span.first)
    while start <= span.last:
        yield start
        start = _next(interval, start)


def _start(interval: str, day: date) -> date:
    if interval == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if interval == "month" else day


def _next(interval: str, start: date) -> date:
    # 32 days after the first of a month it is the next one
    return _start(interval, start + timedelta(days={"day": 1, "week": 7, "month": 32}[interval]))


def cohorts(
    totals: Totals, interval: str, span: Span, days: int, today: date
) -> list[dict[str, Any]]:
    """Curves of up to `days` days. `totals` are by interval and days_to_recover, which is -1 for
    debts that are not back."""
    found = []
    for start in starts(interval, span):
        mine = {key[1:]: values for key, values in totals.items() if key[0] == start}
        if not mine:
            continue
        ends = min(_next(interval, start), span.last + timedelta(days=1))
        money = [
            {"currency": currency, **_cohort(mine, days, currency)}
            for currency in sorted({key[-1] for key in mine})
        ]
        over_all = _cohort(mine, days)
        del over_all["failed_minor"]
        for point in over_all["curve"]:
            del point["recovered_minor"]
        found.append(
            {
                "start": start,
                "observed_days": max(0, (today - ends).days),
                **over_all,
                "money": money,
            }
        )
    return found


def _cohort(mine: Totals, days: int, currency: str | None = None) -> dict[str, Any]:
    chosen = {key: values for key, values in mine.items() if currency in (None, key[-1])}
    size = sum(values["failed"] for values in chosen.values())
    curve = []
    for day in range(days + 1):
        back = [values for key, values in chosen.items() if 0 <= key[0] <= day]
        recovered = sum(values["failed"] for values in back)
        curve.append(
            {
                "days": day,
                "recovered": recovered,
                "share": recovered / size,
                "recovered_minor": sum(values["recovered_minor"] for values in back),
            }
        )
    return {
        "failed": size,
        "failed_minor": sum(values["failed_minor"] for values in chosen.values()),
        "curve": curve,
    }


def funnel(totals: Totals, measures: tuple[str, ...]) -> dict[str, Any]:
    """The steps, and beside them what is no part of the step before."""
    of_currency = by_group(totals).get((), {})
    over_all = _sum(measures, of_currency.values())

    def step(name: str) -> dict[str, Any]:
        return {
            "name": name,
            "meaning": definition(name).text,
            "debts": over_all[name],
            "share_of_failed": over_all[name] / over_all["failed"] if over_all["failed"] else None,
            "money": [
                {"currency": currency, "debts": values[name], "minor": values[f"{name}_minor"]}
                for currency, values in of_currency.items()
            ],
        }

    return {
        "steps": [step(name) for name in STEPS],
        "beside": [step(name) for name in BESIDE],
    }


def meanings() -> Iterator[dict[str, Any]]:
    """Every measure, ratio and dimension in the words of its definition."""
    for measure in MEASURES.values():
        yield _meaning(measure.name, "measure", measure.unit)
    for name in RATIOS:
        yield _meaning(name, "ratio", Unit.RATIO)
    for name in DIMENSIONS:
        yield _meaning(name, "dimension", None)


def _meaning(name: str, kind: str, unit: Unit | None) -> dict[str, Any]:
    said = definition(name)
    return {"name": name, "kind": kind, "unit": unit, "text": said.text, "formula": said.formula}


def _sum(measures: tuple[str, ...], parts: Any) -> Mapping[str, int]:
    summed = added(measures, *({(): part} for part in parts))
    return summed.get((), dict.fromkeys(measures, 0))
