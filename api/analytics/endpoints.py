"""/v1/analytics: figures of one organisation, from the marts and the ledger.

Debts are counted on the day (UTC) they first failed, whatever became of them since; tries on the
day they were made. Money is integer minor units of its currency and never added over currencies.
Shares are between 0 and 1. Every answer says where it comes from and what it is true to.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from api.analytics import schemas, shapes
from api.analytics.asking import AskedOf
from api.dependencies import require_key
from tinko_pipelines.core.analytics.reading.measures import AGAIN, COHORTS, FUNNEL, SUMMARY, TRIES

router = APIRouter(
    prefix="/v1/analytics",
    tags=["analytics"],
    responses={
        404: {"description": "A connection that is not the organisation's"},
        422: {"description": "The range is not one or too long, or a filter is not known"},
        503: {"description": "Postgres had to answer alone, and could not in time"},
    },
)

Interval = Annotated[
    Literal["day", "week", "month"], Query(description="of the first failure; weeks begin Mondays")
]
DebtsBy = Literal["psp", "method", "category", "connection_id", "policy_version_id"]
TriesBy = Literal["actor", "attempt_number", "psp", "method", "category", "connection_id"]


@router.get("/summary", response_model=schemas.Summary)
def summary(asked: AskedOf) -> dict[str, Any]:
    """What failed in the range and what became of it."""
    answer = asked.answer(SUMMARY)
    of_currency = shapes.by_group(answer.totals).get((), {})
    return {**shapes.told(answer, asked.span), **shapes.figures(of_currency, SUMMARY)}


@router.get("/timeseries", response_model=schemas.Series)
def timeseries(asked: AskedOf, interval: Interval = "day") -> dict[str, Any]:
    """The summary of each day, week or month of first failures."""
    answer = asked.answer(SUMMARY, interval)
    points = shapes.series(answer.totals, SUMMARY, interval, asked.span)
    return {**shapes.told(answer, asked.span), "interval": interval, "points": points}


@router.get("/breakdown", response_model=schemas.DebtBreakdown)
def breakdown(asked: AskedOf, by: DebtsBy) -> dict[str, Any]:
    """The summary of each PSP, method, category, connection or policy version."""
    answer = asked.answer(SUMMARY, by)
    groups = shapes.groups(answer.totals, SUMMARY)
    return {**shapes.told(answer, asked.span), "by": by, "groups": groups}


@router.get("/attempts", response_model=schemas.TryBreakdown)
def attempts(asked: AskedOf, by: TriesBy = "actor") -> dict[str, Any]:
    """Tries that were made in the range, whoever made them, and how they ended."""
    answer = asked.answer(TRIES, by)
    groups = shapes.groups(answer.totals, TRIES)
    return {**shapes.told(answer, asked.span), "by": by, "groups": groups}


@router.get("/heatmap", response_model=schemas.HeatMap)
def heatmap(asked: AskedOf) -> dict[str, Any]:
    """When tries bring failed debts back: by weekday and hour where the payer lives."""
    answer = asked.answer(TRIES, "payer_weekday", "payer_hour", only=AGAIN)
    cells = [
        {"weekday": weekday, "hour": hour, **shapes.figures(of_currency, TRIES)}
        for (weekday, hour), of_currency in shapes.by_group(answer.totals).items()
    ]
    return {**shapes.told(answer, asked.span), "cells": cells}


@router.get("/cohorts", response_model=schemas.Cohorts)
def cohorts(
    asked: AskedOf,
    interval: Interval = "week",
    days: Annotated[
        int, Query(ge=1, le=90, description="how many days after the failure the curves end")
    ] = 30,
) -> dict[str, Any]:
    """How long debts that failed together take to come back."""
    answer = asked.answer(COHORTS, interval, "days_to_recover")
    today = answer.watermark.at.date()
    found = shapes.cohorts(answer.totals, interval, asked.span, days, today)
    return {**shapes.told(answer, asked.span), "interval": interval, "cohorts": found}


@router.get("/funnel", response_model=schemas.Funnel)
def funnel(asked: AskedOf) -> dict[str, Any]:
    """From the failure to settled money: failed, retried or asked for, recovered, settled."""
    answer = asked.answer(FUNNEL)
    return {**shapes.told(answer, asked.span), **shapes.funnel(answer.totals, FUNNEL)}


@router.get("/definitions", response_model=schemas.Meanings, dependencies=[Depends(require_key)])
def definitions() -> dict[str, Any]:
    """What every figure means, for tooltips, in the words of dbt's pages and the marts' columns."""
    return {"items": list(shapes.meanings())}
