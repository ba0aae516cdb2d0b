"""Disputes and refunds on real Postgres: a recovery goes, and comes back, as its money does."""

from itertools import permutations

import pytest

from tests.integration.ledger.aftermath_world import (
    INTENT,
    INVOICE,
    Ref,
    RefKind,
    S,
    Told,
    charge,
)
from tinko_pipelines.core.ids import new_id


@pytest.fixture
def told(database):
    return Told(database)


def test_a_dispute_that_is_lost_reverses_the_recovery(told):
    told.recovered()
    assert told.case() == ("recovered", 1000, 0)
    told.dispute("open")
    assert told.case() == ("disputed", 1000, 0)
    told.dispute("lost")
    assert told.case() == ("reversed", 1000, 1000)
    assert told.steps() == ["open", "recovered", "disputed", "reversed"]
    assert told.rows("select state, disputed from attempts order by occurred_at") == [
        ("failed", False), ("succeeded", True),
    ]  # fmt: skip
    # the debt itself was paid and is never charged again
    assert told.rows("select state from obligations") == [("paid",)]


def test_a_dispute_that_is_won_gives_the_recovery_back(told):
    told.recovered()
    told.dispute("open")
    told.dispute("won")
    assert told.case() == ("recovered", 1000, 0)
    assert told.rows("select kind, state from findings") == [("dispute", "fixed")]
    assert told.rows("select disputed from attempts where state = 'succeeded'") == [(False,)]


def test_a_dispute_that_was_lost_and_is_won_after_all(told):
    told.recovered()
    for status in ("open", "lost", "won"):
        told.dispute(status)
    assert told.case() == ("recovered", 1000, 0)
    assert told.steps()[-2:] == ["reversed", "recovered"]


def test_a_settled_recovery_is_settled_again_when_its_dispute_is_won(told):
    told.recovered()
    told.write("update cases set state = 'settled'")
    told.dispute("open")
    told.dispute("won")
    assert told.steps()[-3:] == ["settled", "disputed", "settled"]
    # news of the debt leave it settled
    told.say(charge("ch_2", hours=24, refunded=100))
    assert told.case() == ("settled", 1000, 100)


@pytest.mark.parametrize("order", permutations(["open", "lost", "won"]))
def test_a_dispute_does_not_open_again_in_whatever_order_it_is_told(told, order):
    told.recovered()
    for status in order:
        told.dispute(status)
        told.dispute(status)
    assert told.case() == ("recovered", 1000, 0)


def test_partial_refunds_add_up_and_a_full_one_reverses(told):
    told.recovered()
    told.say(charge("ch_2", hours=24, refunded=300))
    assert told.case() == ("recovered", 1000, 300)
    told.say(charge("ch_2", hours=24, refunded=700))
    assert told.case() == ("recovered", 1000, 700)
    told.say(charge("ch_2", hours=24, refunded=1000))
    assert told.case() == ("reversed", 1000, 1000)
    assert told.rows("select refunded_minor from obligations") == [(1000,)]


def test_a_refund_that_failed_gives_the_recovery_back(told):
    told.recovered()
    told.say(charge("ch_2", hours=24, refunded=1000))
    assert told.case() == ("reversed", 1000, 1000)
    told.say(charge("ch_2", hours=24, refunded=0))
    assert told.case() == ("recovered", 1000, 0)
    # an event that does not say how much is refunded changes nothing
    told.say(charge("ch_2", hours=24, refunded=400))
    told.say(charge("ch_2", hours=24))
    assert told.case() == ("recovered", 1000, 400)


def test_the_refund_of_a_second_capture_reverses_nothing(told):
    told.recovered()
    told.say(charge("ch_3", hours=30))
    assert told.rows("select state, proposal ->> 'refund' from findings") == [("open", "ch_3")]
    told.say(charge("ch_3", hours=30, refunded=1000))
    assert told.case() == ("recovered", 1000, 0)
    assert told.rows("select state, proposal from findings") == [("fixed", {})]
    told.say(charge("ch_2", hours=24, refunded=1000))
    assert told.case() == ("reversed", 1000, 1000)


def test_a_refund_heard_of_with_the_payment_finds_the_same_second_capture(told):
    """In another order: the excess is given back before we hear that there was one."""
    told.say(charge("ch_1", S.FAILED))
    told.say(charge("ch_3", hours=30, refunded=1000))
    told.say(charge("ch_2", hours=24))
    told.work()
    assert told.case() == ("recovered", 1000, 0)
    assert told.rows("select kind, state from findings") == [("double_collected", "fixed")]


def test_a_case_that_is_opened_after_everything_stands_where_its_money_does(told):
    told.say(charge("ch_1", S.FAILED))
    told.say(charge("ch_2", hours=24))
    told.dispute("lost")
    told.work()
    assert told.case() == ("reversed", 1000, 1000)
    assert told.steps() == ["open", "recovered", "reversed"]


def test_a_case_of_a_debt_that_was_voided_before_we_heard_of_its_failure(told):
    told.say(terminal="void")
    told.say(charge("ch_1", S.FAILED))
    told.work()
    assert told.rows("select state, close_reason from cases") == [("cancelled", "void")]


@pytest.mark.parametrize("first", ["void", "partial"])
def test_a_part_that_came_in_does_not_make_a_voided_debt_collectible(told, first):
    part = charge("ch_1", amount=400)
    news = [lambda: told.say(terminal="void"), lambda: told.say(part)]
    for one in news if first == "void" else reversed(news):
        one()
    assert told.rows("select state, paid_minor from obligations") == [("void", 400)]


def test_void_ends_what_was_uncollectible_in_either_order(told):
    for terminal in ("void", "uncollectible"):
        told.say(terminal=terminal)
    assert told.rows("select state from obligations") == [("void",)]


def test_paid_is_told_before_the_charge_that_paid_it(told):
    """Whose it was is known only with the charge; until then nobody brought it back."""
    told.say(charge("ch_1", S.FAILED))
    told.work()
    told.say(paid=1000)
    assert told.rows("select state, recovered_by from cases") == [("recovered", None)]
    told.say(charge("ch_2", hours=24, payer_present=True))
    assert told.rows("select state, recovered_by from cases") == [("recovered", "payer")]


def test_merged_debts_have_one_case_and_it_follows_the_money(told):
    """The weaker name was recovered and disputed; the stronger one has a case of its own."""
    session = Ref(RefKind.CHECKOUT_SESSION, "cs_1")
    told.say(charge("ch_1", S.FAILED), refs=(INVOICE,))
    told.say(charge("ch_2", S.FAILED, hours=1), refs=(session,))
    told.work()
    told.say(charge("ch_3", hours=24), refs=(session,))
    told.say(due=None, refs=(session, Ref(RefKind.PAYMENT, "ch_3")),
             disputes=(dispute_of("ch_3"),))  # fmt: skip
    assert told.rows("select state from cases order by 1") == [("disputed",), ("open",)]
    told.say(refs=(INVOICE, session), due=None)
    assert told.case() == ("disputed", 1000, 0)
    assert told.rows("select obligation_id from findings") == told.rows(
        "select obligation_id from cases"
    )


def test_a_recovered_part_of_a_larger_debt_is_not_a_recovery(told):
    """The weaker name was over 600 and paid; the invoice, heard of later, is over 1000."""
    told.say(charge("ch_1", S.FAILED, amount=600), refs=(INTENT,), due=600)
    told.work()
    told.say(charge("ch_2", hours=24, amount=600), refs=(INTENT,), due=600)
    assert told.case() == ("recovered", 600, 0)
    told.say(refs=(INVOICE,))
    told.say(refs=(INVOICE, INTENT))
    told.work()
    assert told.rows("select state, due_minor, paid_minor from obligations"
                     " where state <> 'superseded'") == [("partially_paid", 1000, 600)]  # fmt: skip
    assert told.case() == ("open", 0, 0)


def test_a_merge_hands_on_what_only_the_folded_debt_was_told(told):
    told.say(charge("ch_1", S.FAILED), refs=(INTENT,), has_mandate=True, mandate_ref="pm_1",
             psp_retries=False)  # fmt: skip
    told.say(refs=(INVOICE,))
    told.say(refs=(INVOICE, INTENT), due=None)
    assert told.rows(
        "select has_mandate, mandate_ref, psp_retries from obligations where state = 'open'"
    ) == [(True, "pm_1", False)]


def test_a_cancelled_subscription_stops_what_is_planned_at_once(told):
    told.say(charge("ch_1", S.FAILED), has_mandate=True)
    told.work()
    planned = new_id(told.clock.now())
    told.write(
        "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor, state,"
        " amount_minor, currency, created_at, updated_at) select :id, org_id, connection_id, psp,"
        " obligation_id, 'tinko', 'scheduled', 1000, 'USD', created_at, updated_at from attempts",
        id=planned,
    )  # fmt: skip
    told.write("update cases set decide_at = null")
    told.say(due=None, refs=(INVOICE,), has_mandate=False)
    assert told.rows("select state from attempts where id = :id", id=planned) == [("cancelled",)]
    # and the case is looked at again: the payer may still want to pay
    assert told.rows("select decide_at is not null from cases") == [(True,)]


def test_a_closed_door_does_not_open_again_on_late_news(told):
    from tinko_pipelines.core.psp.types import DoorKind, DoorSeen, DoorStatus

    door = DoorSeen(DoorKind.INVOICE, "in_1", DoorStatus.OPEN)
    closed = DoorSeen(DoorKind.INVOICE, "in_1", DoorStatus.CLOSED)
    for one in (door, closed, door):
        told.say(doors=(one,))
    assert told.rows("select status from doors") == [("closed",)]
    told.say(doors=(DoorSeen(DoorKind.INVOICE, "in_1", DoorStatus.PAID),))
    assert told.rows("select status from doors") == [("paid",)]


def dispute_of(payment):
    from tinko_pipelines.core.psp.types import DisputeSeen, DisputeStatus

    return DisputeSeen("dp_1", payment, DisputeStatus.OPEN, 1000, "USD")


@pytest.mark.parametrize("late", [False, True])
def test_what_was_captured_says_over_how_much_in_any_order(told, late):
    held, taken = charge("ch_1", S.AUTHORIZED), charge("ch_1", amount=600)
    for one in (taken, held) if late else (held, taken):
        told.say(one)
    amounts = "select amount_minor, state from attempts"
    assert told.rows(amounts) == [(600, "succeeded")]
    assert told.rows("select paid_minor, state from obligations") == [(600, "partially_paid")]
    # what a fresh read says of it mends the ledger
    told.write("update attempts set amount_minor = 590")
    told.say(taken)
    assert told.rows(amounts) == [(600, "succeeded")]
