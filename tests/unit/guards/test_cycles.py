"""A mandate's cycles: where they end, what they have taken, and when the next debit may come."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.canonical import dumps, to_plain
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.guards.cycles import LONGEST_CYCLE, Frequency, cycle_of
from tinko_pipelines.core.guards.evaluate import evaluate, next_allowed
from tinko_pipelines.core.guards.evidence import evidence_of, read_evidence
from tinko_pipelines.core.guards.model import Counted, Facts
from tinko_pipelines.core.guards.rows import limit, limits

INDIA = ZoneInfo("Asia/Kolkata")
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
AHEAD = 25 * HOUR  # from asking for a debit until it comes
NACH = Facts("razorpay", "nach", None, "IN", "token_1", 1000, "INR", merchant_category="insurance")
# no banks and hours: only what is said of cycles
ROWS = tuple(one for one in limits() if one.id.startswith("cycle."))
CYCLIC = [one for one in Frequency if one is not Frequency.AS_PRESENTED]


def india(*when):
    return datetime(*when, tzinfo=INDIA).astimezone(UTC)


def taken(at, **more):
    values = {"amount": 500, "currency": "INR", "initiator": "merchant", "same_obligation": False}
    return Counted(at, **values | {"state": "succeeded"} | more)


@pytest.mark.parametrize(
    ("frequency", "day", "first", "after"),
    [
        ("daily", (2026, 2, 28), (2026, 2, 28), (2026, 3, 1)),
        ("weekly", (2026, 3, 1), (2026, 2, 23), (2026, 3, 2)),  # a Sunday ends it
        ("weekly", (2026, 3, 2), (2026, 3, 2), (2026, 3, 9)),
        ("fortnightly", (2026, 2, 15), (2026, 2, 1), (2026, 2, 16)),
        ("fortnightly", (2026, 2, 16), (2026, 2, 16), (2026, 3, 1)),
        ("monthly", (2028, 2, 29), (2028, 2, 1), (2028, 3, 1)),
        ("monthly", (2026, 12, 31), (2026, 12, 1), (2027, 1, 1)),
        ("bimonthly", (2026, 12, 1), (2026, 11, 1), (2027, 1, 1)),
        ("quarterly", (2026, 9, 30), (2026, 7, 1), (2026, 10, 1)),
        ("half_yearly", (2026, 7, 1), (2026, 7, 1), (2027, 1, 1)),
        ("yearly", (2026, 12, 31), (2026, 1, 1), (2027, 1, 1)),
    ],
)
def test_cycles_are_those_of_the_calendar(frequency, day, first, after):
    for clock in ((0, 0, 0), (23, 59, 59)):
        cycle = cycle_of(Frequency(frequency), india(*day, *clock), INDIA)
        assert (cycle.start, cycle.end) == (india(*first), india(*after))


@given(st.sampled_from(CYCLIC), st.dates(date(2020, 1, 1), date(2032, 12, 31)))
@settings(max_examples=100)
def test_cycles_follow_each_other_without_a_gap(frequency, day):
    at = india(day.year, day.month, day.day, 12)
    cycle = cycle_of(frequency, at, INDIA)
    assert cycle.holds(at)
    assert cycle.end - cycle.start <= LONGEST_CYCLE
    assert cycle_of(frequency, cycle.end, INDIA).start == cycle.end
    assert cycle_of(frequency, cycle.start - SECOND, INDIA).end == cycle.start


def test_as_presented_or_unknown_there_is_no_cycle():
    at = india(2026, 9, 30, 12)
    for frequency in (None, Frequency.AS_PRESENTED):
        assert cycle_of(frequency, at, INDIA) is None
        facts = replace(NACH, frequency=frequency, counted=(taken(at - HOUR),))
        assert evaluate(facts, at, ROWS).allowed


def test_from_two_days_before_its_end_a_month_takes_no_debit_and_the_next_one_does():
    monthly = replace(NACH, frequency=Frequency.MONTHLY)
    last = india(2026, 9, 30) - AHEAD
    assert evaluate(monthly, last - SECOND, ROWS).allowed
    verdict = evaluate(monthly, last, ROWS)
    assert (verdict.denied_by, verdict.next_at) == ("cycle.last_day", india(2026, 10, 1))
    found, _ = next_allowed(monthly, last, last + 40 * DAY, ROWS)
    assert found == india(2026, 10, 1)
    # where its notice was ours to wait for, the debit comes when it is asked for
    at_once = replace(monthly, notice_required=True)
    assert evaluate(at_once, india(2026, 9, 30) - SECOND, ROWS).allowed
    assert not evaluate(at_once, india(2026, 9, 30), ROWS).allowed


def test_a_day_has_no_last_day():
    daily = replace(NACH, frequency=Frequency.DAILY)
    assert evaluate(daily, india(2026, 9, 30, 12), ROWS).allowed


@pytest.mark.parametrize("initiator", ["merchant", "customer"])
def test_a_cycle_takes_one_success_whoever_made_it(initiator):
    at = india(2026, 9, 10, 12)
    weekly = replace(NACH, frequency=Frequency.WEEKLY)
    for state, free in [("succeeded", False), ("failed", True), ("cancelled", True)]:
        seen = taken(at - DAY, initiator=initiator, state=state)
        assert evaluate(replace(weekly, counted=(seen,)), at, ROWS).allowed is free
    facts = replace(weekly, counted=(taken(at - DAY),))
    assert evaluate(facts, at, ROWS).denied_by == "cycle.one_success"
    # the next week's first debit is asked for when that week has begun
    found, _ = next_allowed(facts, at, at + 40 * DAY, ROWS)
    assert found == india(2026, 9, 14)


def test_a_success_of_the_cycle_before_takes_nothing_unless_its_debit_came_in_this_one():
    at = india(2026, 10, 5, 12)
    monthly = replace(NACH, frequency=Frequency.MONTHLY)
    start = india(2026, 10, 1)
    assert evaluate(replace(monthly, counted=(taken(start - AHEAD - SECOND),)), at, ROWS).allowed
    assert not evaluate(replace(monthly, counted=(taken(start - AHEAD),)), at, ROWS).allowed
    yearly = replace(NACH, frequency=Frequency.YEARLY, counted=(taken(india(2026, 1, 1)),))
    assert evaluate(yearly, at, ROWS).denied_by == "cycle.one_success"


def test_daily_debits_follow_each_other_a_day_apart():
    at = india(2026, 10, 5, 12)
    daily = replace(NACH, frequency=Frequency.DAILY)
    assert evaluate(replace(daily, counted=(taken(at - DAY),)), at, ROWS).allowed
    assert not evaluate(replace(daily, counted=(taken(at - HOUR),)), at, ROWS).allowed


@given(
    st.sampled_from(list(Frequency)),
    st.lists(st.integers(0, 400 * 24), max_size=3),
    st.integers(0, 90 * 24 * 60),
    st.booleans(),
)
@settings(max_examples=100)
def test_the_next_instant_is_the_first_and_its_evidence_says_so_again(often, hours, minutes, ours):
    at = india(2026, 9, 1) + minutes * timedelta(minutes=1)
    counted = tuple(taken(at - one * HOUR) for one in hours)
    facts = replace(NACH, frequency=often, counted=counted, notice_required=ours, as_of=at)
    found, verdict = next_allowed(facts, at, at + 800 * DAY, ROWS)
    assert found is not None
    assert verdict.allowed
    if found > at:
        assert not evaluate(facts, found - SECOND, ROWS).allowed
        assert not evaluate(facts, at + (found - at) / 2, ROWS).allowed
    verdict = evaluate(facts, at)
    written = evidence_of(facts, at, verdict)
    kept = read_evidence(json.loads(written.document) | {"rows": json.loads(written.limits)})
    assert kept.facts.frequency is often
    assert kept.again() == verdict


def test_a_merchant_may_have_one_notice_do_for_all_retries_and_the_evidence_says_so():
    at = india(2026, 10, 8, 12)
    told = replace(
        NACH, notice_required=True, notice_delivered_at=at - 3 * DAY,
        counted=(taken(at - DAY, state="failed", same_obligation=True),),
    )  # fmt: skip
    fresh, once = evaluate(told, at), evaluate(replace(told, fresh_notice=False), at)
    assert (fresh.denied_by, once.allowed) == ("rbi.notice", True)
    # still 24 hours from the notice to any debit
    soon = replace(told, fresh_notice=False, notice_delivered_at=at - 23 * HOUR)
    assert evaluate(soon, at).denied_by == "rbi.notice"
    for facts, verdict in [(told, fresh), (replace(told, fresh_notice=False), once)]:
        written = evidence_of(facts, at, verdict)
        assert json.loads(written.document)["facts"]["fresh_notice"] is facts.fresh_notice
        kept = read_evidence(json.loads(written.document) | {"rows": json.loads(written.limits)})
        assert dumps(to_plain(kept.again())) == dumps(to_plain(verdict))


def test_evidence_of_before_is_read_as_it_was():
    """Rows had no note and no calendar, and facts no frequency."""
    at = india(2026, 9, 29, 12)
    verdict = evaluate(NACH, at)
    written = evidence_of(NACH, at, verdict)
    document, rows = json.loads(written.document), json.loads(written.limits)
    for name in ("frequency", "fresh_notice"):
        del document["facts"][name]
    rows = [one for one in rows if one["id"] != "cycle.one_success"]
    for one in rows:
        one.pop("note")
        if one["id"] == "cycle.last_day":
            del one["params"]["timezone"]
    found = read_evidence(document | {"rows": rows}).again()
    assert found.allowed == verdict.allowed
    assert found.rows == tuple(one for one in verdict.rows if one != "cycle.one_success")


def test_a_calendar_is_of_a_timezone_that_there_is():
    for row in ROWS:
        written = row.row.model_dump()
        with pytest.raises(SettingsError, match="Asia/Nowhere is no timezone"):
            limit(written | {"params": written["params"] | {"timezone": "Asia/Nowhere"}})
