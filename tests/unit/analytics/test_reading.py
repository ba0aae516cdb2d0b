"""Questions and figures, without a store: what is asked of which mart, sums, ratios, shapes."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api.analytics import shapes
from tinko_pipelines.core.analytics.dbt import PROJECT
from tinko_pipelines.core.analytics.definitions import definition
from tinko_pipelines.core.analytics.reading.errors import RangeInvalid, RangeTooLong
from tinko_pipelines.core.analytics.reading.figures import added, ratio, ratios
from tinko_pipelines.core.analytics.reading.ledger import compiled
from tinko_pipelines.core.analytics.reading.measures import (
    AGAIN,
    COHORTS,
    DIMENSIONS,
    FUNNEL,
    MARTS,
    MEASURES,
    RATIOS,
    SHARED,
    SUMMARY,
    TRIES,
    Fact,
    Unit,
)
from tinko_pipelines.core.analytics.reading.question import Filters, Question, Span

SPAN = Span(date(2026, 9, 28), date(2026, 11, 1))
BUCKETS = {"day", "week", "month"}


def columns(mart: str) -> set[str]:
    (model,) = yaml.safe_load((PROJECT / "models" / "marts" / f"{mart}.yml").read_text())["models"]
    return {column["name"] for column in model["columns"]}


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.name)
def test_a_mart_has_the_columns_that_are_asked_of_it(mart):
    wanted = {*mart.columns.values(), *(SHARED - BUCKETS), *mart.further, "day"}
    assert wanted <= columns(mart.name)
    assert all(MEASURES[name].fact is mart.fact for name in mart.columns)


def test_whatever_is_counted_is_defined():
    for name in (*MEASURES, *RATIOS, *DIMENSIONS):
        assert definition(name).text
    assert all(definition(name).formula for name in RATIOS)


@pytest.mark.parametrize("name", [name for name, one in MEASURES.items() if one.unit is Unit.MINOR])
def test_money_is_called_money(name):
    assert name.endswith("_minor")
    assert "minor" in definition(name).text or "minor" in definition(name[: -len("_minor")]).text


@pytest.mark.parametrize(
    ("measures", "by", "only", "marts"),
    [
        (SUMMARY, (), "", {"recovery_daily", "at_risk"}),
        (SUMMARY, ("connection_id", "week"), "", {"recovery_daily", "at_risk"}),
        (("failed", "lost_minor"), ("policy_version_id",), "", {"policy_effect"}),
        (COHORTS, ("month", "days_to_recover"), "", {"recovery_cohorts"}),
        (TRIES, ("payer_weekday", "payer_hour"), AGAIN, {"recovery_by_hour"}),
        (TRIES, ("actor",), "", {"recovery_by_attempt"}),
        # in no mart: the fact is read
        (SUMMARY, ("policy_version_id",), "", None),
        (FUNNEL, (), "", None),
        (TRIES, ("payer_hour",), "", None),
        (TRIES, ("attempt_number",), AGAIN, None),
    ],
)
def test_a_question_finds_its_marts(measures, by, only, marts):
    found = Question(measures, SPAN, by, only=only).marts
    assert (None if found is None else {mart.name for mart in found}) == marts
    if found is not None:
        assert sorted(name for names in found.values() for name in names) == sorted(measures)


def test_two_facts_are_two_questions():
    with pytest.raises(ValueError, match="one fact"):
        Question(("failed", "tried"), SPAN)


def test_a_range_is_in_its_order_and_bounded():
    assert Span(SPAN.first, SPAN.first).days == 1
    with pytest.raises(RangeInvalid, match="after"):
        Span(SPAN.last, SPAN.first)
    with pytest.raises(RangeTooLong) as refused:
        Span(date(2025, 1, 1), date(2026, 1, 2))
    assert refused.value.extra == {"most_days": 366}


def test_the_ledgers_query_binds_what_is_asked():
    question = Question(SUMMARY, SPAN, ("week",), Filters(psp=("stripe",), currency=("INR",)))
    sql = compiled(question, "listed")
    assert {"first", "last", "psp", "currency", "debt_ids"} <= sql._bindparams.keys()
    assert "stripe" not in sql.text


def test_a_ratio_is_its_definitions_formula_and_active_cases_are_in_neither():
    assert ratio("recovery_rate", {"recovered": 3, "lost": 1, "active": 90}) == 0.75
    assert ratio("recovery_rate", {"recovered": 0, "lost": 0}) is None
    assert ratio("success_rate", {"succeeded": 1, "declined": 1, "undecided": 7}) == 0.5
    with pytest.raises(KeyError, match="no formula"):
        ratio("failed", {"failed": 1})


def test_ratios_of_money_are_of_one_currency():
    sums = {"recovered": 1, "lost": 1, "recovered_minor": 90, "lost_minor": 10}
    assert ratios(Fact.DEBTS, sums, money=False) == {"recovery_rate": 0.5}
    assert ratios(Fact.DEBTS, sums, money=True) == {
        "recovery_rate": 0.5,
        "recovery_rate_minor": 0.9,
    }


KEYS = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["INR", "USD"]))
PARTS = st.dictionaries(KEYS, st.fixed_dictionaries({"failed": st.integers(0, 9)}))


@given(PARTS, PARTS, PARTS)
def test_what_was_taken_out_can_be_put_in_again(base, then, now):
    whole = added(("failed",), base, then)
    assert added(("failed",), whole, now, less=then) == added(("failed",), base, now)
    assert added(("failed",), base, less=base) == {}


def test_counts_are_added_over_currencies_and_money_is_not():
    one = dict.fromkeys(SUMMARY, 2)
    shown = shapes.figures({"INR": one, "JPY": one | {"lost": 0}}, SUMMARY)
    assert (shown["failed"], shown["lost"], shown["recovery_rate"]) == (4, 2, 4 / 6)
    assert not [name for name in shown if name.endswith("_minor")]
    assert [(one["currency"], one["failed_minor"]) for one in shown["money"]] == [
        ("INR", 2),
        ("JPY", 2),
    ]
    assert shapes.figures({}, SUMMARY) | {"failed": 0, "money": []} == shapes.figures({}, SUMMARY)


@pytest.mark.parametrize(
    ("interval", "first", "last", "starts"),
    [
        ("day", "2026-02-28", "2026-03-01", ["2026-02-28", "2026-03-01"]),
        ("week", "2026-09-30", "2026-10-05", ["2026-09-28", "2026-10-05"]),
        ("month", "2026-01-31", "2026-03-01", ["2026-01-01", "2026-02-01", "2026-03-01"]),
        ("month", "2026-12-31", "2027-01-01", ["2026-12-01", "2027-01-01"]),
    ],
)
def test_intervals_cover_the_range(interval, first, last, starts):
    span = Span(date.fromisoformat(first), date.fromisoformat(last))
    assert [str(day) for day in shapes.starts(interval, span)] == starts


def test_a_cohorts_curve_rises_to_its_share():
    day = SPAN.first
    totals = {
        (day, -1, "INR"): {"failed": 2, "failed_minor": 20, "recovered_minor": 0},
        (day, 0, "INR"): {"failed": 1, "failed_minor": 10, "recovered_minor": 10},
        (day, 3, "USD"): {"failed": 1, "failed_minor": 70, "recovered_minor": 70},
        (day, 9, "USD"): {"failed": 1, "failed_minor": 1, "recovered_minor": 1},
    }
    (found,) = shapes.cohorts(totals, "day", SPAN, 4, date(2026, 10, 2))
    assert (found["start"], found["failed"], found["observed_days"]) == (day, 5, 3)
    assert [point["recovered"] for point in found["curve"]] == [1, 1, 1, 2, 2]
    assert found["curve"][-1] == {"days": 4, "recovered": 2, "share": 0.4}
    assert [(one["currency"], one["failed_minor"]) for one in found["money"]] == [
        ("INR", 30),
        ("USD", 71),
    ]
    assert found["money"][1]["curve"][3]["recovered_minor"] == 70
