"""What a decision keeps is all that it asked limits and calendars for."""

import json
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.recovery.test_decide import NOW, failed, view
from tests.unit.recovery.test_ruling import rules
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.guards import calendar_kinds
from tinko_pipelines.core.guards.rows import book, limit
from tinko_pipelines.core.recovery import places
from tinko_pipelines.core.recovery.decide import decide
from tinko_pipelines.core.recovery.inputs import limits_until_the_end, with_holidays
from tinko_pipelines.core.recovery.places import bank_holidays, last_banking_day
from tinko_pipelines.core.recovery.policy import Policy
from tinko_pipelines.core.rules.model import NO_RULES

ADVISED = {"kind": "advice"}  # its usual steps wait for a payday
LADDER = {"kind": "ladder", "gaps": ["1h"]}
PAYDAYS = rules({"do": "next_window", "window": "paydays"})


@given(
    st.sampled_from(["card", "emandate"]),
    st.sampled_from([None, "IN", "US"]),
    st.sampled_from([LADDER, ADVISED]),
    st.sampled_from([18, 120]),
    st.sampled_from([NO_RULES, PAYDAYS]),
    st.integers(0, 120 * 24),
)
@settings(max_examples=60, deadline=None)
def test_the_same_answer_comes_of_what_is_kept_alone(method, country, strategy, most, ruled, hours):
    now = NOW + timedelta(hours=hours)
    case = view(failed(category=Category.INSUFFICIENT_FUNDS), method=method, country=country,
                currency="INR", opened_at=now, org_timezone="Asia/Kolkata")  # fmt: skip
    policy = Policy.model_validate({"strategy": strategy, "max_days": most})
    answer = decide(case, policy, now, ruled)
    assert answer.at is not None
    known = with_holidays(case, policy, ruled, now)
    kept = limits_until_the_end(known, policy, now, book())
    rows = [limit(row) for row in json.loads(kept.text)]
    with pytest.MonkeyPatch.context() as patched:
        # a library that knows no holidays any more
        for module in (calendar_kinds, places):
            patched.setattr(module, "holidays_of", lambda *_: frozenset())
        last_banking_day.cache_clear()
        assert decide(known, policy, now, ruled, rows) == answer
        last_banking_day.cache_clear()


def test_limits_are_the_same_text_for_many_cases():
    policy = Policy()
    first, *others = (
        limits_until_the_end(one, policy, NOW, book())
        for one in (view(), view(amount=7, key="ch_2"), view(opened_at=NOW - timedelta(days=9)))
    )
    assert others == [first] * 2
    assert limits_until_the_end(view(network="mastercard"), policy, NOW, book()) != first


@given(
    st.dates(date(2024, 1, 1), date(2031, 1, 1)), st.integers(0, 400),
    st.sampled_from(["IN", "US", "DE", "XX", None]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_kept_holidays_end_a_month_as_the_library_does(first, days, country):
    last = first + timedelta(days=days)
    closed = frozenset(bank_holidays(country, first, last))
    month = first.replace(day=1)
    while month <= last:
        named = (month.year, month.month, country)
        assert last_banking_day(*named, closed) == last_banking_day(*named)
        month = (month + timedelta(days=31)).replace(day=1)


def test_kept_holidays_stand_before_the_librarys():
    assert last_banking_day(2026, 9, "IN", frozenset({date(2026, 9, 30)})) == date(2026, 9, 29)
    assert last_banking_day(2026, 9, "IN", frozenset()) == date(2026, 9, 30)


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ({}, False),
        ({"windows": ["daily"]}, False),
        ({"windows": ["daily", "paydays"]}, True),
        ({"windows": [{"last_banking_day": True}]}, True),
        ({"strategy": ADVISED}, True),
        ({"strategy": ADVISED | {"steps": [{"gaps": ["1h"]}]}}, False),
        ({"categories": {"do_not_honor": {"windows": ["paydays"]}}}, True),
        ({"categories": {"do_not_honor": {"strategy": ADVISED}}}, True),
        ({"categories": {"do_not_honor": {"max_retries": 1}}}, False),
    ],
)
def test_holidays_are_kept_where_a_window_may_ask_for_them(policy, asked):
    known = with_holidays(view(), Policy.model_validate(policy), NO_RULES, NOW)
    assert (known.bank_holidays is not None) is asked


@pytest.mark.parametrize(("window", "asked"), [("paydays", True), ("policy", False)])
def test_a_rules_window_may_ask_for_them_too(window, asked):
    ruled = rules({"do": "tag", "words": ["late"]}, {"do": "next_window", "window": window})
    assert (with_holidays(view(), Policy(), ruled, NOW).bank_holidays is not None) is asked
