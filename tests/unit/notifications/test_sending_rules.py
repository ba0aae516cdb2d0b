from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.states import CaseState, ObligationState
from tinko_pipelines.core.notifications.outbox import MAX_TRIES, State, Taken, ending, pause

AT = datetime(2026, 3, 2, tzinfo=UTC)
ROW = Taken(
    id=new_id(AT), org_id=new_id(AT), case_id=new_id(AT), obligation_id=new_id(AT),
    message="payment_link", channel="email", recipient="a@example.com", language="en",
    payload={}, state="pending", tries=0, unrecorded=0, obligation_state="open",
    outstanding_minor=100, currency="INR", description=None, payer_name=None,
    case_state="awaiting_payer", merchant="M", timezone="UTC",
)  # fmt: skip
CHANNELS = frozenset({"email"})


@pytest.mark.parametrize("state", ObligationState)
def test_only_a_collectible_debt_is_written_about(state):
    found = ending(replace(ROW, obligation_state=state.value), CHANNELS)
    assert (found is None) == (state in {"open", "partially_paid"})


@pytest.mark.parametrize("state", CaseState)
def test_only_a_running_case_is_written_about(state):
    found = ending(replace(ROW, case_state=state.value), CHANNELS)
    assert (found is None) == (state in {"open", "retrying", "awaiting_payer"})


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"obligation_state": None}, State.CANCELLED),
        ({"case_state": None}, State.CANCELLED),
        ({"outstanding_minor": 0}, State.CANCELLED),
        ({"unrecorded": 2}, State.FAILED),
        ({"channel": "sms"}, State.FAILED),
    ],
)
def test_what_ends_a_row_without_sending(change, state):
    found = ending(replace(ROW, **change), CHANNELS)
    assert found is not None
    assert found.state is state


def test_one_lost_try_is_made_good():
    assert ending(replace(ROW, unrecorded=1), CHANNELS) is None


def test_pauses_double_up_to_six_hours_and_span_more_than_a_day():
    pauses = [pause(tries) for tries in range(1, MAX_TRIES + 1)]
    assert pauses[:4] == [timedelta(minutes=m) for m in (1, 2, 4, 8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(hours=6)
    assert sum(pauses, timedelta()) > timedelta(days=1)
