"""Rules 1, 3, 4, 5 and 10 on real engines: one debt, its doors, and who may open or use them."""

from datetime import timedelta

import pytest

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.money_stage import LEASE, pay_page, side_by_side
from tinko_pipelines.core.recovery.payer_door import AlreadyPaid, AttemptInFlight

# --- rule 1: one debt -------------------------------------------------------------------------


def test_a_charge_heard_of_before_its_invoice_is_the_invoices_debt(striped):
    debt = striped.failed_debt()
    assert striped.rows("select count(*) from obligations") == [(1,)]
    kinds = striped.rows("select distinct kind from psp_refs order by 1")
    assert kinds == [("invoice",), ("payment",), ("payment_intent",)]
    assert striped.rows("select object_id from doors where kind = 'invoice'") == [
        (debt.ref.object_id,)
    ]


def test_our_charge_is_ours_by_its_key_or_its_note_however_it_is_heard_of(shop):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    assert shop.charge() in ("succeeded", "pending")
    shop.hear(days=6)
    assert shop.state(attempt) == "succeeded"
    assert shop.rows("select actor, state from attempts order by id") == [
        ("merchant", "failed"), ("tinko", "succeeded"),
    ]  # fmt: skip
    assert shop.debt_state() == "paid"
    assert shop.taken() == AMOUNT
    assert shop.locks() == []


def test_two_claims_whose_debts_turn_out_to_be_one_make_one_charge(striped):
    shop = striped
    first, second = shop.failed_debt(), shop.failed_debt()
    debts = [one for (one,) in shop.rows("select id from obligations order by id")]
    plans = [shop.plan(one, debt) for one, debt in zip((first, second), debts, strict=True)]
    claims = shop.claims()
    assert len(claims) == 2
    shop.apply(refs=(first.ref, second.ref))
    said = [shop.charger().make(claim) for claim in claims]
    assert "lease.lost" in said
    shop.advance(minutes=61)
    said += [shop.charger().make(claim) for claim in shop.claims()]
    assert len(shop.tries()) == 1, said
    assert "cancelled" in {shop.state(one) for one in plans}
    assert shop.rows("select count(*) from obligations where state <> 'superseded'") == [(1,)]


# --- rule 3: who retries ----------------------------------------------------------------------


def test_an_invoice_that_stripe_advances_is_watched(striped):
    debt = striped.failed_debt()
    attempt = striped.plan(debt)
    striped.stage.sdk.v1.invoices.update(debt.ref.object_id, {"auto_advance": True})
    assert striped.charge() == "psp.retries"
    assert striped.state(attempt) == "cancelled"
    assert striped.tries() == []
    assert striped.think() == {"watch": 1}


def test_a_upi_order_without_a_notice_is_razorpays(razored):
    debt = razored.failed_debt(method="upi", notify=False)
    orders = razored.stage.sdk.order.all({})["count"]
    assert razored.think() == {"watch": 1}
    razored.plan(debt)
    assert razored.charge() == "psp.retries"
    assert razored.stage.sdk.order.all({})["count"] == orders
    assert razored.tries() == []


def test_a_connection_whose_psp_owns_the_retries_is_watched(shop):
    debt = shop.failed_debt()
    shop.plan(debt)
    shop.own_retries("psp")
    assert shop.charge() == "psp.retries"
    assert shop.tries() == []
    assert shop.think() == {"watch": 1}


# --- rule 4: one door at a time ---------------------------------------------------------------


@pytest.fixture
def two_doors(shop):
    """A failed debt with a second door, a page that its payer may pay at any time."""
    debt = shop.failed_debt()
    return shop, debt, shop.second_door(debt)


def test_a_page_paid_while_our_retry_is_claimed_stops_the_retry(two_doors):
    shop, debt, page = two_doors
    attempt = shop.plan(debt)
    (claim,) = shop.claims()
    pay_page(page)
    assert shop.charger().make(claim) == "obligation.paid"
    assert shop.state(attempt) == "cancelled"
    assert shop.taken() == AMOUNT


def test_a_page_paid_in_the_moment_it_is_shut_stops_the_retry(two_doors):
    shop, debt, page = two_doors
    attempt = shop.plan(debt)
    shop.before("close_door", lambda: pay_page(page))
    assert shop.charge() == "obligation.paid"
    assert shop.state(attempt) == "cancelled"
    assert shop.taken() == AMOUNT


def test_an_open_page_is_shut_and_read_back_before_the_retry(two_doors):
    shop, debt, page = two_doors
    attempt = shop.plan(debt)
    assert shop.charge() in ("succeeded", "pending")
    pay_page(page)
    shop.hear(days=6)
    assert shop.state(attempt) == "succeeded"
    assert shop.taken() == AMOUNT
    assert ("closed",) in shop.rows("select status from doors")


def test_while_our_attempt_is_open_the_payer_has_to_wait(shop):
    debt = shop.failed_debt()
    shop.plan(debt)
    (claim,) = shop.claims()
    with pytest.raises(AttemptInFlight):
        shop.payer_door()
    shop.faults(timeout_after_charge=1)
    assert shop.charger().make(claim) == "unknown"
    # not even when the lease is long over: only the outcome frees a charge's lock
    shop.wall.advance(hours=2)
    with pytest.raises(AttemptInFlight):
        shop.payer_door()
    shop.hear(days=6)
    with pytest.raises(AlreadyPaid):
        shop.payer_door()
    assert shop.taken() == AMOUNT


def test_a_door_cancels_what_was_planned(shop):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    shop.payer_door()
    assert shop.state(attempt) == "cancelled"
    assert shop.claims() == []
    assert shop.locks() == []


def test_the_payer_and_a_retry_at_once_one_of_them_has_the_debt(shop):
    debt = shop.failed_debt()
    for _ in range(5):
        attempt = shop.plan(debt)
        door, claims = side_by_side(shop.payer_door, shop.claims)
        if isinstance(door, AttemptInFlight):
            assert len(claims) == 1
            shop.charger(lambda _: shop.wall.advance(seconds=LEASE)).make(claims[0])
            shop.resolve()
            shop.write("update attempts set state = 'cancelled' where state = 'scheduled'")
        else:
            assert not isinstance(door, BaseException), door
            assert claims == []
        assert shop.state(attempt) == "cancelled"
        assert shop.locks() == []
    assert shop.tries() == []


def test_a_door_lock_is_taken_over_only_after_its_lease(shop):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    shop.lock_door(seconds=30)
    assert shop.claims() == []
    shop.advance(minutes=31)
    assert shop.claims() == []
    shop.wall.advance(seconds=31)
    shop.advance(minutes=31)
    assert [one.attempt_id for one in shop.claims()] == [attempt]


def test_whoever_was_too_slow_opens_no_door(shop):
    shop.failed_debt()
    shop.before("read", lambda: shop.wall.advance(seconds=600))
    with pytest.raises(AttemptInFlight):
        shop.payer_door()
    assert shop.locks() == []


def test_whoever_lost_the_lock_opens_no_door_and_leaves_the_others(shop):
    shop.failed_debt()

    def taken_over():
        shop.write("delete from charge_locks")
        shop.lock_door(seconds=600)

    shop.before("read", taken_over)
    with pytest.raises(AttemptInFlight):
        shop.payer_door()
    assert shop.locks() == [("door",)]


# --- rule 5: reuse before you create ----------------------------------------------------------


def test_an_invoice_is_paid_again_and_nothing_is_made(striped):
    debt = striped.failed_debt()
    striped.plan(debt)
    assert striped.charge() == "succeeded"
    v1 = striped.stage.sdk.v1
    assert [one.id for one in v1.invoices.list({}).data] == [debt.ref.object_id]
    assert len(v1.payment_intents.list({}).data) == 1
    assert v1.checkout.sessions.list({}).data == []


def test_an_intent_is_confirmed_again_and_never_made_anew(striped):
    debt = striped.failed_debt("failing_intent")
    striped.plan(debt)
    assert striped.charge() == "succeeded"
    assert [one.id for one in striped.stage.sdk.v1.payment_intents.list({}).data] == [
        debt.ref.object_id
    ]


def test_the_payer_gets_the_debts_own_invoice_or_order(shop):
    debt = shop.failed_debt()
    way = shop.payer_door()
    assert way.door is None
    if shop.stage.psp.value == "razorpay":
        assert way.fields["order_id"] == debt.ref.object_id
        assert shop.stage.sdk.payment_link.all({})["payment_links"] == []
    else:
        invoice = shop.stage.sdk.v1.invoices.retrieve(debt.ref.object_id)
        assert way.url == invoice.hosted_invoice_url
        assert shop.stage.sdk.v1.checkout.sessions.list({}).data == []
    pay_page(way)
    shop.hear(hours=1)
    assert shop.debt_state() == "paid"
    assert shop.rows("select recovered_by from cases") == [("payer",)]
    assert shop.taken() == AMOUNT


# --- rule 10: paid is absorbing ---------------------------------------------------------------


def test_another_doors_success_cancels_what_is_planned_and_unsent(shop):
    debt = shop.failed_debt()
    shop.hard_decline()
    assert shop.think() == {"ask_payer": 1}
    assert shop.rows("select state from outbox") == [("pending",)]
    attempt = shop.plan(debt, at=shop.clock.now() + timedelta(days=9))
    pay_page(shop.page_of(debt))
    shop.hear(hours=1)
    assert shop.state(attempt) == "cancelled"
    assert shop.rows("select state from outbox") == [("cancelled",)]
    assert shop.rows("select state, recovered_by from cases") == [("recovered", "payer")]
    assert shop.taken() == AMOUNT


@pytest.mark.parametrize("closed", ["exhausted", "cancelled"])
def test_a_late_success_wins_over_a_closed_case(shop, closed):
    debt = shop.failed_debt()
    shop.write("update cases set state = :to, decide_at = null", to=closed)
    pay_page(shop.page_of(debt))
    shop.hear(hours=1)
    assert shop.rows("select state, recovered_by from cases") == [("recovered", "payer")]
    ((case,),) = shop.rows("select id from cases")
    assert shop.history("case", case) == ["open", closed, "recovered"]
