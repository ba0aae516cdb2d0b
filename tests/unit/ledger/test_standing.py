"""Where a debt's money and its case stand, whatever the order in which it was told."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.core.ledger.standing import WON, Disputed, Money, count, course, winner
from tinko_pipelines.core.ledger.states import ACTIVE_CASES, CASE_TRANSITIONS, CaseState
from tinko_pipelines.core.psp.types import DisputeStatus

C = CaseState


def capture(name="ch_1", amount=1000, refunded=0, actor="tinko"):
    return SimpleNamespace(
        psp_payment_id=name, amount_minor=amount, refunded_minor=refunded, actor=actor
    )


def disputed(status, name="ch_1", amount=1000):
    return Disputed(name, DisputeStatus(status), amount)


@pytest.mark.parametrize(
    ("captures", "disputes", "state", "missing", "excess"),
    [
        ([capture()], [], C.RECOVERED, 0, 0),
        ([capture(refunded=300)], [], C.RECOVERED, 300, 0),
        ([capture(refunded=1000)], [], C.REVERSED, 1000, 0),
        ([capture()], [disputed("open")], C.DISPUTED, 0, 0),
        ([capture()], [disputed("won")], C.RECOVERED, 0, 0),
        ([capture()], [disputed("lost")], C.REVERSED, 1000, 0),
        ([capture()], [disputed("lost", amount=400)], C.RECOVERED, 400, 0),
        # given back twice over is still gone once
        ([capture(refunded=1000)], [disputed("lost")], C.REVERSED, 1000, 0),
        # all the money is gone: an open dispute over it changes nothing
        ([capture(refunded=1000)], [disputed("open")], C.REVERSED, 1000, 0),
        ([capture(), capture("ch_2")], [], C.RECOVERED, 0, 1000),
        ([capture(), capture("ch_2", refunded=1000)], [], C.RECOVERED, 0, 0),
        ([capture(), capture("ch_2", refunded=1000)], [disputed("lost")], C.REVERSED, 1000, 0),
        # an older dispute that was won, and a new one
        ([capture()], [disputed("won"), disputed("open")], C.DISPUTED, 0, 0),
    ],
)
def test_where_a_paid_debt_stands(captures, disputes, state, missing, excess):
    money = count(1000, 0, captures, disputes)
    assert money.is_paid
    assert (money.case_state, money.missing, money.excess) == (state, missing, excess)


def test_paid_outside_of_any_attempt():
    money = count(1000, 1000, [])
    assert (money.is_paid, money.case_state, money.missing) == (True, C.RECOVERED, 0)
    assert winner(1000, []) is None


def test_a_part_is_not_paid_and_nothing_of_it_is_missing():
    money = count(1000, 0, [capture(amount=400, refunded=400)])
    assert (money.is_paid, money.missing, money.excess) == (False, 0, 0)


def test_nothing_due_is_never_paid():
    assert not Money(due=0, paid=0, taken=0, refunded=0, back=0).is_paid


def test_the_capture_that_reached_the_due_brought_it_back():
    parts = [capture(amount=400, actor="payer"), capture("ch_2", amount=600, actor="tinko")]
    assert winner(1000, parts).actor == "tinko"
    assert winner(1000, [capture(actor="payer"), capture("ch_2")]).actor == "payer"


def test_what_was_given_back_brought_nothing_back_where_another_capture_stands():
    refunded = capture("ch_1", refunded=1000)
    assert winner(1000, [refunded, capture("ch_2")]).psp_payment_id == "ch_2"
    assert winner(1000, [refunded]).psp_payment_id == "ch_1"
    parts = [capture("ch_1", amount=600, refunded=100), capture("ch_2", amount=400)]
    assert winner(1000, parts).psp_payment_id == "ch_2"


captures = st.lists(
    st.builds(
        capture,
        name=st.sampled_from(["ch_1", "ch_2", "ch_3"]),
        amount=st.integers(1, 2000),
        refunded=st.integers(0, 2000),
    ),
    max_size=3,
)
disputes = st.lists(
    st.builds(
        disputed,
        status=st.sampled_from(list(DisputeStatus)),
        name=st.sampled_from(["ch_1", "ch_2"]),
        amount=st.integers(0, 2000),
    ),
    max_size=3,
)


@given(captures, disputes, st.integers(1, 2000), st.integers(0, 2000))
def test_no_sum_is_negative_and_none_is_more_than_there_is(won, over, due, told):
    money = count(due, told, won, over)
    assert 0 <= money.back <= money.taken
    assert 0 <= money.missing <= due
    assert 0 <= money.excess <= money.taken
    assert not (money.missing and money.excess)


@pytest.mark.parametrize("goal", [C.RECOVERED, C.DISPUTED, C.REVERSED])
@pytest.mark.parametrize("before", [C.RECOVERED, C.SETTLED])
@pytest.mark.parametrize("current", list(CaseState))
def test_every_step_of_a_case_is_an_allowed_one(current, goal, before):
    stands = current
    for step in course(current, goal, before):
        assert step in CASE_TRANSITIONS[stands], f"{stands} to {step}"
        stands = step
    assert stands is goal or (goal is C.RECOVERED and stands is C.SETTLED)


def test_settled_stays_settled_and_a_dispute_that_was_won_leads_back_to_it():
    assert course(C.SETTLED, C.RECOVERED) == []
    assert course(C.DISPUTED, C.RECOVERED, before=C.SETTLED) == [C.SETTLED]
    assert course(C.EXHAUSTED, C.REVERSED) == [C.RECOVERED, C.REVERSED]
    assert WON.isdisjoint(ACTIVE_CASES)
