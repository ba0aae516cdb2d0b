"""Tries of ours in the ledger: known by their key however late, and never lost."""

import pytest

from tests.integration.ledger.aftermath_world import INTENT, INVOICE, S, Told, charge
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.keys import key_of


@pytest.fixture
def told(database):
    return Told(database)


@pytest.fixture
def sent(told):
    """A failed debt and a try of ours that was sent for it."""
    told.say(charge("ch_1", S.FAILED), refs=(INTENT,))
    told.work()
    ours = new_id(told.clock.now())
    told.write(
        "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor, state,"
        " amount_minor, currency, created_at, updated_at) select :id, org_id, connection_id, psp,"
        " id, 'tinko', 'submitted', 1000, 'USD', :now, :now from obligations",
        id=ours, now=told.clock.now(),
    )  # fmt: skip
    told.write(
        "insert into idempotency_keys (connection_id, key, org_id, attempt_id, obligation_id,"
        " minted_wall) select connection_id, :key, org_id, id, obligation_id, :now from attempts"
        " where id = :id", id=ours, key=key_of(ours), now=told.clock.now(),
    )  # fmt: skip
    return ours


def standing(told):
    return told.rows(
        "select actor, state, psp_payment_id from attempts order by occurred_at nulls last"
    )


def paid_by_us(told):
    assert standing(told) == [("merchant", "failed", "ch_1"), ("tinko", "succeeded", "ch_2")]
    assert told.rows("select state from obligations where state <> 'superseded'") == [("paid",)]
    assert told.rows("select state, recovered_by from cases") == [("recovered", "retry")]
    assert told.rows("select kind from findings") == []


@pytest.mark.parametrize("state", ["submitted", "unknown", "not_sent", "pending", "cancelled"])
def test_the_psps_word_that_it_was_made_wins(told, sent, state):
    """Also over our own conclusion that nothing was sent: or the debt would be charged again."""
    told.write("update attempts set state = :state where id = :id", state=state, id=sent)
    told.say(charge("ch_2", hours=24, idempotency_key=key_of(sent)), refs=(INTENT,))
    paid_by_us(told)


def test_a_payment_known_late_to_be_ours_keeps_what_it_had_come_to(told, sent):
    """Its end comes first and names no key; its beginning, which does, comes days later."""
    told.say(charge("ch_2", hours=24, refunded=100), refs=(INTENT,))
    assert standing(told)[1] == ("merchant", "succeeded", "ch_2")
    told.say(charge("ch_2", S.PENDING, hours=24, idempotency_key=key_of(sent)), refs=(INTENT,))
    paid_by_us(told)
    assert told.rows("select refunded_minor from attempts where actor = 'tinko'") == [(100,)]
    assert told.rows("select count(*) from charge_locks") == [(0,)]


def test_a_payment_of_ours_on_an_object_nobody_knew_is_the_debt_it_was_made_for(told, sent):
    told.say(charge("ch_2", hours=24, idempotency_key=key_of(sent)), refs=(INVOICE,))
    paid_by_us(told)
    assert told.rows("select count(distinct obligation_id) from psp_refs") == [(1,)]


def test_a_key_that_is_not_ours_is_nobodys(told, sent):
    told.say(charge("ch_2", S.FAILED, hours=24, idempotency_key="tinko-of-somebody-else"),
             refs=(INTENT,))  # fmt: skip
    assert ("merchant", "failed", "ch_2") in standing(told)
