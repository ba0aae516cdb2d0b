"""The instant on which windows and guards agree: the first, and found in the end."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.recovery.test_windows import window_drafts
from tinko_pipelines.core.guards.evaluate import evaluate
from tinko_pipelines.core.guards.model import Counted, Facts, LastFailure
from tinko_pipelines.core.recovery.instant import MOST_TURNS, first_agreed
from tinko_pipelines.core.recovery.places import Place
from tinko_pipelines.core.recovery.windows import Window, is_open, next_open

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)
KOLKATA = Place("Asia/Kolkata", country="IN")


def facts(**changes):
    base = {
        "psp": "stripe", "method": "card", "network": "mastercard", "country": "US",
        "instrument_key": "fp_1", "amount": 1000, "currency": "USD",
    }  # fmt: skip
    return Facts(**(base | changes))


def window(**said):
    return Window.model_validate(said)


def test_windows_and_guards_take_turns():
    """Business hours in Kolkata, and NPCI's hours for the debit 25 hours later."""
    hours = [window(preset="business_hours")]
    upi = facts(psp="razorpay", method="upi", network=None, country="IN", currency="INR")
    agreed = first_agreed(hours, KOLKATA, upi, NOW, NOW + timedelta(days=10))
    assert agreed.at is not None
    assert is_open(hours, agreed.at, KOLKATA)
    assert evaluate(upi, agreed.at).allowed
    assert "npci.autopay.windows" in agreed.rows


def test_where_they_never_meet_it_ends_at_the_bound():
    # asked for between 11:00 and 12:00, a UPI debit falls between 12:00 and 13:00: never allowed
    never = [window(times=[{"from": "11:00", "to": "12:00"}])]
    upi = facts(psp="razorpay", method="upi", network=None, country="IN", currency="INR")
    agreed = first_agreed(never, KOLKATA, upi, NOW, NOW + timedelta(days=60))
    assert (agreed.at, agreed.denied) == (None, "policy.windows")


def test_it_gives_up_in_the_end_however_far_away_that_is(monkeypatch):
    asked = []

    def counted_opening(windows, at, place):
        asked.append(at)
        return next_open(windows, at, place)

    monkeypatch.setattr("tinko_pipelines.core.recovery.instant.next_open", counted_opening)
    never = [window(times=[{"from": "11:00", "to": "12:00"}])]
    upi = facts(psp="razorpay", method="upi", network=None, country="IN", currency="INR")
    agreed = first_agreed(never, KOLKATA, upi, NOW, NOW + timedelta(days=366))
    assert (agreed.at, agreed.denied) == (None, "policy.windows")
    assert len(asked) == MOST_TURNS
    assert asked == sorted(set(asked)), "a turn did not move on"


def test_why_there_is_none_is_said():
    until = NOW + timedelta(days=5)
    assert first_agreed([], KOLKATA, facts(), until + timedelta(1), until).denied == (
        "policy.max_days"
    )
    late = [window(days_of_month=[28])]
    assert first_agreed(late, KOLKATA, facts(), NOW, until).denied == "policy.windows"
    never = facts(last_failure=LastFailure(NOW, network_advice_code="03"))
    assert first_agreed([], KOLKATA, never, NOW, until).denied == "guard.mastercard.advice.never"
    unknown = facts(instrument_key=None)
    assert first_agreed([], KOLKATA, unknown, NOW, until).denied == "guard.own.unknown_instrument"


counted = st.builds(
    Counted,
    at=st.floats(0, 24 * 20).map(lambda hours: NOW - timedelta(hours=hours)),
    amount=st.just(1000),
    currency=st.just("USD"),
    initiator=st.just("merchant"),
    same_obligation=st.booleans(),
)


@given(
    st.lists(window_drafts, max_size=2),
    st.lists(counted, max_size=40),
    st.sampled_from(["mastercard", "visa", None]),
    st.sampled_from(["card", "upi", "emandate"]),
    st.sampled_from([None, "02", "24", "30"]),
    st.floats(0, 18),
)
@settings(max_examples=80, deadline=None)
def test_it_is_inside_a_window_allowed_and_not_before_another(
    drafts, seen, network, method, advice, days
):
    windows = [Window.model_validate(one) for one in drafts]
    last = LastFailure(NOW - timedelta(hours=1), network_advice_code=advice)
    known = facts(network=network, method=method, counted=tuple(seen), last_failure=last, as_of=NOW)
    until = NOW + timedelta(days=days)
    agreed = first_agreed(windows, KOLKATA, known, NOW, until)
    if agreed.at is not None:
        assert NOW <= agreed.at <= until
        assert is_open(windows, agreed.at, KOLKATA)
        assert evaluate(known, agreed.at).allowed
    # nothing earlier would do, asked at every half hour
    step, end = NOW, agreed.at or until
    while step < end:
        assert not (is_open(windows, step, KOLKATA) and evaluate(known, step).allowed)
        step += timedelta(minutes=30)
