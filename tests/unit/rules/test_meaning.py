"""Corners of what rules mean: missing values, foreign currencies, midnight, and times to come."""

import uuid
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.rules.engine import evaluate, explain, holds
from tinko_pipelines.core.rules.facts import RuleFacts
from tinko_pipelines.core.rules.model import NO_RULES, Rule, RuleBody, RuleSet
from tinko_pipelines.core.rules.moments import moment, next_time

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)
STOP = {"do": "stop"}


def body(when, *then):
    return RuleBody.model_validate({"when": when, "then": list(then) or [STOP]})


def true(when, **known):
    return holds(body(when).when, RuleFacts(**known))


def action(**said):
    return body({"code": {"is_missing": False}}, said).then[0]


@pytest.mark.parametrize(
    ("when", "known", "expected"),
    [
        ({"code": {"eq": "x"}}, {}, False),
        ({"code": {"ne": "x"}}, {}, False),
        ({"not": {"code": {"eq": "x"}}}, {}, True),
        ({"not": {"code": {"ne": "x"}}}, {}, True),
        ({"code": {"ne": "x"}}, {"code": ""}, True),
        ({"code": {"is_missing": True}}, {"code": ""}, False),
        ({"amount": {"ge": 5, "currency": "INR"}}, {"amount": 9, "currency": "USD"}, False),
        ({"amount": {"ne": 5, "currency": "INR"}}, {"amount": 9, "currency": "USD"}, False),
        ({"amount": {"ne": 5, "currency": "INR"}}, {"amount": 9}, False),
        ({"amount": {"ne": 5, "currency": "INR"}}, {"amount": 9, "currency": "INR"}, True),
        ({"amount": {"is_missing": True}}, {"currency": "INR"}, True),
        ({"customer_tags": {"is_missing": True}}, {"customer_tags": ()}, True),
        ({"customer_tags": {"contains": "vip"}}, {"customer_tags": ("a", "vip")}, True),
        ({"customer_tags": {"contains": "vip"}}, {"customer_tags": ("vip2",)}, False),
        ({"local_time": {"between": ["22:00", "06:00"]}}, {"org_time": 22 * 60}, True),
        ({"local_time": {"between": ["22:00", "06:00"]}}, {"org_time": 6 * 60}, True),
        ({"local_time": {"between": ["22:00", "06:00"]}}, {"org_time": 6 * 60 + 1}, False),
        ({"local_time": {"between": ["09:00", "09:00"]}}, {"org_time": 9 * 60}, True),
        ({"local_time": {"lt": "06:00", "zone": "payer"}}, {"org_time": 0}, False),
        ({"weekday": {"eq": "sun"}}, {"org_weekday": 7}, True),
    ],
)
def test_meaning(when, known, expected):
    assert true(when, **known) is expected


def test_the_first_by_place_fires_and_carries_its_actions():
    rules = RuleSet(
        (
            Rule(uuid.UUID(int=1), 4, "late", 9, body({"psp": {"eq": "stripe"}})),
            Rule(
                uuid.UUID(int=2),
                7,
                "early",
                1,
                body(
                    {"psp": {"in": ["stripe"]}},
                    {"do": "tag", "words": ["big", "big", "vip"]},
                    {"do": "ask_payer", "channels": ["sms"]},
                    {"do": "offer_psp", "psp": "razorpay"},
                ),
            ),
        )
    )
    fired = evaluate(rules, RuleFacts(psp="stripe"))
    assert (fired.name, fired.version, fired.rule_id.int) == ("early", 7, 2)
    assert [one.do for one in fired.actions] == ["tag", "ask_payer", "offer_psp"]
    assert fired.deciding.channels == ("sms",)
    assert (fired.offer_psp, fired.tags) == ("razorpay", ("big", "vip"))
    assert evaluate(rules, RuleFacts(psp="razorpay")) is None
    assert evaluate(NO_RULES, RuleFacts(psp="stripe")) is None


def test_facts_at_an_instant_know_both_clocks():
    known = RuleFacts.at(NOW, "Asia/Kolkata", "America/New_York", code="x")
    assert (known.org_time, known.org_weekday) == (17 * 60 + 30, 3)
    assert (known.payer_time, known.payer_weekday, known.code) == (8 * 60, 3, "x")
    alone = RuleFacts.at(datetime(2026, 9, 20, 19, tzinfo=UTC), "Asia/Kolkata")
    assert (alone.org_time, alone.org_weekday) == (30, 1)  # a Monday already
    assert alone.payer_time is alone.payer_weekday is None


def test_an_explanation_shows_an_amount_with_its_currency():
    rule = Rule(uuid.UUID(int=1), 1, "x", 1, body({"amount": {"ge": 5, "currency": "INR"}}))
    told = explain(rule, RuleFacts(amount=9, currency="USD"))["when"]
    assert told["seen"] == {"minor": 9, "currency": "USD"}
    assert told["holds"] is False


def test_times_of_actions():
    def at(**said):
        return moment(action(**said), NOW, "Asia/Kolkata", "Europe/Berlin")

    assert at(do="retry_in", hours=1, minutes=30) == NOW + timedelta(minutes=90)
    assert at(do="wait", minutes=5) == NOW + timedelta(minutes=5)
    assert at(do="retry_at", time="18:00") == NOW + timedelta(minutes=30)
    assert at(do="retry_at", time="17:00") == NOW + timedelta(hours=23, minutes=30)
    assert at(do="retry_at", time="15:00", zone="payer") == NOW + timedelta(hours=1)
    assert at(do="retry_at", instant="2026-09-16T18:00:00+05:30") == NOW + timedelta(minutes=30)
    assert at(do="retry_at", instant="2026-09-16T11:59:00Z") is None
    for nothing in (
        {"do": "stop"},
        {"do": "next_window"},
        {"do": "ask_payer", "channels": ["sms"]},
    ):
        assert at(**nothing) is None
    payer = action(do="retry_at", time="15:00", zone="payer")
    assert moment(payer, NOW, "Asia/Kolkata", None) == NOW + timedelta(hours=21, minutes=30)


NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("now", "minute", "zone", "expected"),
    [
        # 2:30 is left out on 8 March: 3:00, the first instant after the gap
        ("2026-03-08T05:00Z", 150, NEW_YORK, "2026-03-08T07:00Z"),
        # 1:30 comes twice on 1 November: the first
        ("2026-11-01T04:00Z", 90, NEW_YORK, "2026-11-01T05:30Z"),
        # half an hour's gap
        ("2026-10-03T12:00Z", 135, "Australia/Lord_Howe", "2026-10-03T15:30Z"),
        # a whole day left out
        ("2011-12-30T03:00Z", 600, "Pacific/Apia", "2011-12-30T10:00Z"),
        ("2028-02-28T20:00Z", 540, "Asia/Kolkata", "2028-02-29T03:30Z"),
    ],
)
def test_a_time_of_day_across_changes_of_clocks(now, minute, zone, expected):
    assert next_time(datetime.fromisoformat(now), minute, zone) == datetime.fromisoformat(expected)


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001
        lambda one: one.replace(tzinfo=UTC, second=0, microsecond=0)
    ),
    st.integers(0, 1439),
    st.sampled_from([NEW_YORK, "Asia/Kolkata", "Australia/Lord_Howe", "Europe/Lisbon"]),
)
def test_the_next_time_is_what_walking_minute_by_minute_finds(now, minute, zone):
    clock, walker = ZoneInfo(zone), now
    seen: set[date] = set()
    while True:
        local = walker.astimezone(clock)
        before = (walker - timedelta(minutes=1)).astimezone(clock)
        shown, shown_before = (one.hour * 60 + one.minute for one in (local, before))
        leapt = local.date() == before.date() and shown_before < minute < shown
        again = local.fold == 1
        if (shown == minute and not again) or leapt:
            break
        seen.add(local.date())
        walker += timedelta(minutes=1)
    assert next_time(now, minute, zone) == walker
    assert len(seen) <= 3
