"""Each kind of limit at the very instants where its answer changes."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.canonical import dumps
from tinko_pipelines.core.guards import calendar_kinds
from tinko_pipelines.core.guards.banking_days import holidays_of, is_banking_day, next_banking_day
from tinko_pipelines.core.guards.evaluate import evaluate, next_allowed
from tinko_pipelines.core.guards.evidence import evidence_of, limits_of, read_evidence
from tinko_pipelines.core.guards.model import UNRESOLVED, Counted, Facts, LastFailure
from tinko_pipelines.core.guards.rows import limit, limits

INDIA, NEW_YORK = ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
TICK = timedelta(microseconds=1)
# a Wednesday; the debit 25 hours later is on a working day, at 15:30 in India
NOW = datetime(2026, 9, 16, 9, tzinfo=UTC)
CARD = Facts("stripe", "card", "mastercard", "US", "key", 1000, "USD")
UPI = Facts("razorpay", "upi", None, "IN", "key", 1000, "INR")
MANDATE = replace(UPI, method="emandate")


def tried(at, **more):
    values = {"amount": 1000, "currency": "USD", "initiator": "merchant", "same_obligation": False}
    return Counted(at, **values | more)


def india(*when):
    """The instant to ask, so that the debit comes at that local time in India."""
    return datetime(*when, tzinfo=INDIA).astimezone(UTC) - 25 * HOUR


def test_a_window_of_24_hours_is_open_below_and_closed_above():
    nine = tuple(tried(NOW - HOUR * n) for n in range(1, 10))
    for first, allowed in [(NOW - DAY, True), (NOW - DAY + TICK, False), (NOW, False)]:
        assert evaluate(replace(CARD, counted=(*nine, tried(first))), NOW).allowed is allowed
    # the PSP's clock is ahead of ours: made is made
    assert not evaluate(replace(CARD, counted=(*nine, tried(NOW + SECOND))), NOW).allowed


@pytest.mark.parametrize("zone", [UTC, INDIA, NEW_YORK])
def test_24_hours_are_24_hours_when_the_clocks_change(zone):
    # New York loses an hour on 8 March 2026
    first = datetime(2026, 3, 7, 17, 30, tzinfo=UTC)
    facts = replace(CARD, counted=tuple(tried(first.astimezone(zone)) for _ in range(10)))
    at, _ = next_allowed(facts, (first + HOUR).astimezone(zone), first + 2 * DAY)
    assert at == first + DAY
    assert not evaluate(facts, (first + DAY - SECOND).astimezone(zone)).allowed
    assert evaluate(facts, (first + DAY).astimezone(zone)).allowed


def test_customer_initiated_tries_are_visas_other_count():
    visa = replace(CARD, network="visa")
    twenty = [tried(NOW - HOUR * n) for n in range(1, 21)]
    assert not evaluate(replace(visa, counted=tuple(twenty)), NOW).allowed
    mixed = (*twenty[:19], replace(twenty[19], initiator="customer"))
    assert evaluate(replace(visa, counted=mixed), NOW).allowed
    assert not evaluate(replace(visa, counted=tuple(twenty), currency="USD"), NOW).allowed
    assert evaluate(replace(visa, counted=tuple(twenty), currency="EUR"), NOW).allowed
    assert evaluate(replace(visa, counted=tuple(twenty), amount=1001), NOW).allowed


@pytest.mark.parametrize("where", ["another debt", "this debt"])
def test_a_code_that_says_never_holds_for_the_card(where):
    visa = replace(CARD, network="visa")
    counted = (tried(NOW - 9 * DAY, network_decline_code="41"), tried(NOW - DAY))
    last = LastFailure(NOW - DAY, network_decline_code="51")
    if where == "this debt":
        counted, last = (), LastFailure(NOW - DAY, network_decline_code="41")
    verdict = evaluate(replace(visa, counted=counted, last_failure=last), NOW)
    assert (verdict.denied_by, verdict.next_at) == ("visa.category1.2026", None)


@pytest.mark.parametrize(
    ("merchant", "psp", "waits"),
    [(None, "stripe", True), ("US", "stripe", True), ("IN", "stripe", False),
     (None, "razorpay", False)],
)  # fmt: skip
def test_advice_in_hours_and_days_is_not_for_indian_merchants(merchant, psp, waits):
    said = LastFailure(NOW, network_advice_code="25")
    facts = replace(CARD, psp=psp, merchant_country=merchant, last_failure=said)
    assert evaluate(facts, NOW + DAY - SECOND).allowed is not waits
    assert evaluate(facts, NOW + DAY).allowed
    later = replace(facts, last_failure=LastFailure(NOW, network_advice_code="02"))
    assert not evaluate(later, NOW + 3 * DAY - SECOND).allowed
    assert evaluate(later, NOW + 3 * DAY).allowed


@pytest.mark.parametrize(
    ("clock", "allowed"),
    [((0, 0), True), ((9, 59, 59), True), ((10, 0), False), ((12, 59, 59), False),
     ((13, 0), True), ((16, 59, 59), True), ((17, 0), False), ((21, 29, 59), False),
     ((21, 30), True), ((23, 59, 59), True)],
)  # fmt: skip
def test_upi_windows_at_their_edges_on_the_last_day_of_a_month(clock, allowed):
    at = india(2026, 10, 31, *clock)
    assert evaluate(UPI, at).allowed is allowed
    if not allowed:
        opens, _ = next_allowed(UPI, at, at + DAY)
        local = (opens + 25 * HOUR).astimezone(INDIA)
        assert (local.hour, local.minute, local.second) in [(13, 0, 0), (21, 30, 0)]


def test_where_the_notice_is_ours_the_debit_comes_at_once():
    told = replace(UPI, notice_required=True, notice_delivered_at=NOW - 5 * DAY)
    at = datetime(2026, 9, 16, 11, tzinfo=INDIA)
    assert evaluate(told, at).denied_by == "npci.autopay.windows"
    assert evaluate(told, at + 2 * HOUR).allowed


@pytest.mark.parametrize("state", sorted(UNRESOLVED))
def test_no_debit_of_a_mandate_while_an_earlier_one_is_open(state):
    open_one = tried(NOW - 3 * DAY, currency="INR", state=state)
    facts = replace(MANDATE, counted=(open_one,))
    assert evaluate(facts, NOW).denied_by == "razorpay.one_at_a_time"
    # a plan may be made, and is held against what is known then
    at, _ = next_allowed(facts, NOW, NOW + 9 * DAY)
    assert at is not None
    assert at >= NOW + 6 * HOUR
    assert not evaluate(facts, at).allowed
    assert evaluate(replace(MANDATE, counted=(replace(open_one, state="failed"),)), at).allowed
    # cards are not mandates
    assert evaluate(replace(CARD, counted=(replace(open_one, currency="USD"),)), NOW).allowed


@pytest.mark.parametrize(
    ("facts", "row", "hours"),
    [(MANDATE, "rbi.notice", 24), (UPI, "rbi.notice", 24),
     (replace(CARD, psp="razorpay", country="IN", currency="INR"), "rbi.notice.cards", 24),
     (replace(CARD, country="IN"), "stripe.notice.cards", 26)],
)  # fmt: skip
def test_the_notice_clock_runs_from_its_delivery(facts, row, hours):
    ours = replace(facts, notice_required=True)
    assert evaluate(ours, NOW).denied_by == row
    told = replace(ours, notice_delivered_at=NOW - hours * HOUR)
    assert evaluate(told, NOW).allowed
    late = evaluate(told, NOW - SECOND)
    assert (late.denied_by, late.next_at) == (row, NOW)
    # a debit since: the next one needs a notice of its own
    used = tried(NOW - HOUR, same_obligation=True, currency=facts.currency)
    assert evaluate(replace(told, counted=(used,)), NOW).denied_by == row
    before = replace(used, at=NOW - (hours + 1) * HOUR)
    assert evaluate(replace(told, counted=(before,)), NOW).allowed
    assert evaluate(facts, NOW).allowed


@pytest.mark.parametrize(
    ("day", "open_on"),
    [
        ((2026, 9, 12), (2026, 9, 15)),  # a second Saturday, a Sunday, Ganesh Chaturthi
        ((2026, 9, 19), (2026, 9, 19)),  # a third Saturday
        ((2026, 9, 26), (2026, 9, 28)),  # a fourth Saturday
        ((2026, 10, 2), (2026, 10, 3)),  # Gandhi's birthday
        ((2026, 5, 31), (2026, 6, 1)),  # the month ends on a Sunday
        ((2027, 12, 25), (2027, 12, 27)),
    ],
)
def test_a_debit_on_a_bank_holiday_moves_to_the_next_working_day(day, open_on):
    for clock in ((0, 0, 0), (12, 0, 0), (23, 59, 59)):
        at = india(*day, *clock)
        opens, _ = next_allowed(MANDATE, at, at + 30 * DAY)
        moved = open_on != day
        assert (opens + 25 * HOUR).astimezone(INDIA).date() == date(*open_on)
        assert opens == (india(*open_on) if moved else at)
        assert evaluate(MANDATE, at).allowed is not moved
    assert evaluate(replace(UPI), india(*day)).allowed


@given(st.dates(date(2020, 1, 1), date(2032, 12, 31)))
@settings(max_examples=100)
def test_the_next_banking_day_is_the_first_open_one(day):
    closed = holidays_of("IN", "MH", day.year) | holidays_of("IN", "MH", day.year + 1)
    found = next_banking_day(day, closed, [2, 4])
    walked = day
    while not is_banking_day(walked, closed, [2, 4]):
        walked += DAY
    assert found == walked


def test_a_calendar_without_open_days_is_an_error():
    with pytest.raises(ValueError, match="no bank opens"):
        next_banking_day(date(2026, 1, 1), {date(2026, 1, 1) + n * DAY for n in range(20)}, [])


def test_the_cycles_last_day_begins_a_day_before_its_end():
    end = datetime(2026, 10, 1, tzinfo=INDIA)
    facts = replace(UPI, cycle_end=end)
    last = end.astimezone(UTC) - DAY - 25 * HOUR
    verdict = evaluate(facts, last)
    assert (verdict.denied_by, verdict.next_at) == ("cycle.last_day", None)
    assert evaluate(facts, last - SECOND).allowed


@pytest.mark.parametrize(
    ("category", "most"),
    [(None, 15_000_00), ("software", 15_000_00), ("insurance", 1_00_000_00),
     ("mutual_funds", 1_00_000_00), ("card_bills", 1_00_000_00)],
)  # fmt: skip
@pytest.mark.parametrize("method", ["upi", "emandate", "nach", "card"])
def test_without_a_second_factor_up_to_an_amount(method, category, most):
    facts = replace(UPI, psp="stripe", method=method, amount=most, merchant_category=category)
    assert evaluate(facts, NOW).allowed
    verdict = evaluate(replace(facts, amount=most + 1), NOW)
    assert verdict.denied_by.startswith("rbi.without_second_factor")
    assert verdict.next_at is None
    # before the framework, and of cards issued elsewhere, this was not asked
    assert evaluate(replace(facts, amount=most + 1), datetime(2026, 3, 16, 9, tzinfo=UTC)).allowed


FACTS = st.builds(
    Facts,
    psp=st.sampled_from(["stripe", "razorpay"]),
    method=st.sampled_from(["card", "upi", "emandate"]),
    network=st.sampled_from([None, "visa", "mastercard", "rupay"]),
    country=st.sampled_from([None, "IN", "US"]),
    instrument_key=st.sampled_from([None, "key"]),
    amount=st.sampled_from([1, 15_000_00, 15_000_01]),
    currency=st.sampled_from(["INR", "USD"]),
    counted=st.lists(
        st.builds(
            tried, st.integers(0, 40 * 86400).map(lambda n: NOW - n * SECOND),
            state=st.sampled_from(["failed", "pending"]), same_obligation=st.booleans(),
            network_advice_code=st.sampled_from([None, None, "02", "25"]),
        ), max_size=25,
    ).map(tuple),
    cycle_end=st.sampled_from([None, NOW + 9 * DAY]),
    notice_required=st.booleans(),
    notice_delivered_at=st.sampled_from([None, NOW - 2 * DAY]),
    timed_out_at=st.sampled_from([None, NOW - 2 * DAY]),
)  # fmt: skip


def test_limits_kept_over_the_turn_of_a_year_answer_as_the_calendar_did(monkeypatch):
    since, until = india(2026, 12, 20), india(2027, 1, 20)
    kept = limits_of(MANDATE, since, until)
    hours = [since + n * HOUR for n in range(0, 31 * 24, 6)]
    known = [evaluate(MANDATE, at) for at in hours]
    monkeypatch.setattr(calendar_kinds, "holidays_of", lambda *_: frozenset())
    assert [evaluate(MANDATE, at) for at in hours] != known
    rows = [limit(one) for one in json.loads(kept.text)]
    assert [evaluate(MANDATE, at, rows) for at in hours] == known


def test_limits_of_a_stretch_are_those_of_its_years():
    assert limits_of(MANDATE, NOW, NOW) == limits_of(
        replace(MANDATE, amount=7), NOW, NOW + 18 * DAY
    )
    assert limits_of(MANDATE, NOW, NOW) != limits_of(MANDATE, NOW, NOW + 120 * DAY)
    assert limits_of(CARD, NOW, NOW) == limits_of(CARD, NOW, NOW + 120 * DAY)


@given(FACTS, st.integers(0, 20 * 86400))
@settings(max_examples=150)
def test_the_evidence_gives_the_verdict_again(facts, seconds):
    at = NOW + seconds * SECOND
    verdict = evaluate(facts, at)
    written = evidence_of(facts, at, verdict)
    for text in (written.document, written.limits):
        assert text == dumps(json.loads(text))
    assert written.digest == hashlib.sha256(written.limits.encode()).hexdigest()
    assert json.loads(written.document)["limits"] == written.digest
    found = read_evidence(json.loads(written.document) | {"rows": json.loads(written.limits)})
    assert (found.facts, found.at, found.verdict) == (facts, at, verdict)
    assert found.again() == verdict
    assert evidence_of(found.facts, found.at, found.again()) == written


@given(FACTS, st.integers(0, 20 * 86400))
@settings(max_examples=150)
def test_what_next_allowed_finds_is_the_first_instant_there_is(facts, seconds):
    at = NOW + seconds * SECOND
    known = replace(facts, as_of=at)
    found, verdict = next_allowed(facts, at, at + 40 * DAY)
    if found is None:
        assert not verdict.allowed
        found = at + 20 * DAY
    else:
        assert verdict.allowed
        assert evaluate(known, found).allowed
    step = (found - at) / 12
    for n in range(12):
        assert found == at or not evaluate(known, at + n * step).allowed


def test_every_limit_in_force_and_covering_is_looked_at():
    visa = replace(CARD, network="visa")
    expected = {one.id for one in limits() if one.covers(visa) and one.in_force(NOW)}
    assert set(evaluate(visa, NOW).rows) == expected
    assert "visa.reattempts.2020" not in expected
