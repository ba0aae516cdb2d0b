"""Rules 4 to 7 of the design, each against the interleaving that would break it: doors, and second
captures."""

from dataclasses import replace

import pytest

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.interleaving import PAID, at, refund_as_proposed
from tests.integration.recovery.money_stage import pay_page, side_by_side
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.psp.types import Credentials, PaymentStatus, Psp, Ref, RefKind
from tinko_pipelines.core.recovery.capturing import CaptureRefused, capture
from tinko_pipelines.core.recovery.payer_door import AttemptInFlight
from tinko_pipelines.core.tenants.connections import create_connection

# --- rule 4: doors --------------------------------------------------------------------------------


def test_rule_4_a_page_paid_while_our_retry_is_in_flight(striped):
    """After the last read and before the call: the invoice itself refuses the second payment."""
    debt = striped.failed_debt()
    attempt = striped.plan(debt)
    striped.charge(at("submitted", lambda: pay_page(striped.page_of(debt))))
    striped.hear()
    assert striped.state(attempt) in ("not_sent", "failed")
    assert striped.debt_state() == "paid"
    assert striped.rows("select recovered_by from cases") == [("payer",)]
    assert striped.locks() == []
    assert striped.taken() == AMOUNT


def test_rule_4_a_door_is_not_opened_while_our_attempt_is_open(shop):
    debt = shop.failed_debt()
    shop.plan(debt)
    refused = []

    def try_it():
        with pytest.raises(AttemptInFlight):
            shop.payer_door()
        refused.append(True)

    shop.charge(lambda label: try_it() if label in ("claimed", "read", "submitted", "sent") else 0)
    assert len(refused) == 4
    shop.hear(days=6)
    assert shop.taken() == AMOUNT


def test_rule_4_a_door_opened_between_the_claim_and_the_read_shuts_nothing_that_is_paid(shop):
    """A merchant opens a page of its own after our claim; it is paid before we have shut it."""
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    (claim,) = shop.claims()
    page = shop.second_door(debt)
    shop.before("close_door", lambda: pay_page(page))
    assert shop.charger().make(claim) in PAID
    assert shop.state(attempt) == "cancelled"
    assert shop.taken() == AMOUNT


# --- rule 5: reuse --------------------------------------------------------------------------------


def test_rule_5_a_canceled_intent_is_superseded_once_however_often_its_retry_is_made(striped):
    """Canceled at its confirm limit. Two workers, one of which lost its lease: one new intent."""
    debt = striped.failed_debt("failing_intent")
    attempt = striped.plan(debt)
    striped.stage.sdk.v1.payment_intents.cancel(
        debt.ref.object_id, {"cancellation_reason": "abandoned"}
    )
    (claim,) = striped.claims()
    said = side_by_side(*[lambda: striped.charger().make(claim)] * 2)
    assert "succeeded" in said
    striped.hear()
    intents = striped.stage.sdk.v1.payment_intents.list({}).data
    assert len(intents) == 2
    assert striped.state(attempt) == "succeeded"
    assert len(striped.rows("select 1 from obligations where state <> 'superseded'")) == 1
    assert striped.taken() == AMOUNT


# --- rule 6: second captures ----------------------------------------------------------------------


def test_rule_6_a_second_capture_is_found_and_its_refund_reverses_nothing(razored):
    """An order cannot be shut: the payer pays the old one while our debit of a new one is with the
    bank."""
    debt = razored.failed_debt()
    razored.think()
    razored.write("delete from attempts where state = 'scheduled'")
    razored.plan(debt)
    razored.charge(at("sent", lambda: pay_page(razored.page_of(debt))))
    razored.hear(days=6)
    assert razored.taken() == 2 * AMOUNT
    assert razored.debt_state() == "paid"
    assert razored.rows("select kind, severity, state from findings") == [
        ("double_collected", "error", "open")
    ]
    proposal = refund_as_proposed(razored)
    assert proposal["amount_minor"] == AMOUNT
    razored.hear()
    assert razored.rows("select state, reversed_minor from cases") == [("recovered", 0)]
    assert razored.rows("select state, proposal from findings") == [("fixed", {})]


def test_rule_6_a_late_authorisation_after_a_new_order_is_found(razored):
    """Five days are over, a new order is debited, and then the bank takes the first after all."""
    debt = razored.failed_debt()
    attempt = razored.plan(debt)
    assert razored.charge() == "pending"
    ((first,),) = razored.rows("select psp_payment_id from attempts where state = 'failed'")
    razored.apply(
        refs=(debt.ref, Ref(RefKind.PAYMENT, first)),
        payments=(late(razored, first),),
    )
    # paid: nothing more is planned, and what is under way is awaited
    assert razored.debt_state() == "paid"
    assert razored.state(attempt) == "pending"
    assert razored.claims() == []
    razored.hear(days=6)
    assert razored.state(attempt) == "succeeded"
    ((proposal,),) = razored.rows("select proposal from findings where kind = 'double_collected'")
    assert proposal["amount_minor"] == AMOUNT


def late(shop, payment_id):
    """The same payment, authorised and captured after it had failed."""
    seen = shop.seat.adapter.read((Ref(RefKind.PAYMENT, payment_id),))
    (one,) = [one for one in seen.payments if one.object_id == payment_id]
    return replace(one, status=PaymentStatus.SUCCEEDED, error=None, updated_at=shop.clock.now())


@pytest.fixture
def authorised(razored):
    """A debt on whose order a payer's payment is authorised, and captured by nobody."""
    sdk = razored.stage.sdk
    debt = razored.failed_debt()
    order = sdk.order.create(
        {"amount": AMOUNT, "currency": "INR", "payment_capture": False,
         "notes": {"tinko_debt": debt.ref.object_id}}
    )  # fmt: skip
    sdk.payment.createRecurring(
        {"email": "someone@example.com", "contact": "+919812300001", "amount": AMOUNT,
         "currency": "INR", "order_id": order["id"], "customer_id": debt.customer,
         "token": debt.good, "recurring": True}
    )  # fmt: skip
    for _ in range(6):
        razored.hear(days=1)
        held = [one for one in sdk.payment.all({})["items"] if one["status"] == "authorized"]
        if held:
            return razored, debt, held[0]["id"]
    raise AssertionError("the payment was never authorised")


def take(shop, payment_id):
    capture(shop.engine, shop.seat, shop.obligation(), payment_id, shop.clock, shop.wall, 5.0)


def test_rule_6_an_authorised_payment_is_captured_once(authorised):
    shop, _, payment = authorised
    take(shop, payment)
    assert shop.debt_state() == "paid"
    with pytest.raises(CaptureRefused):
        take(shop, payment)
    assert shop.taken() == AMOUNT
    assert shop.locks() == []


def test_rule_6_a_capture_on_a_paid_debt_is_refused_and_lapses(authorised):
    shop, debt, payment = authorised
    # nobody has told us yet: the fresh read says so
    shop.faults(drop_webhooks={"rate": 1.0})
    pay_page(shop.page_of(debt))
    with pytest.raises(CaptureRefused, match=r"obligation\.paid"):
        take(shop, payment)
    assert shop.locks() == []
    shop.advance(days=10)
    assert shop.taken() == AMOUNT


def test_rule_6_a_capture_beside_an_open_door_or_attempt_is_refused(authorised):
    shop, debt, payment = authorised
    shop.write(
        "insert into doors (id, org_id, connection_id, obligation_id, kind, object_id, status,"
        " opened_by, created_at, updated_at) select id, org_id, id, id, 'checkout_session',"
        " 'cs_at_another_psp', 'open', 'tinko', created_at, created_at from obligations"
    )
    with pytest.raises(CaptureRefused, match=r"door\.open"):
        take(shop, payment)
    shop.write("delete from doors where object_id = 'cs_at_another_psp'")
    shop.second_door(debt)
    with pytest.raises(CaptureRefused, match=r"door\.open"):
        take(shop, payment)
    shop.plan(debt)
    assert len(shop.claims()) == 1
    with pytest.raises(CaptureRefused, match="another payment"):
        take(shop, payment)
    assert shop.taken() == 0


# --- rule 7: another PSP is the payer's choice ----------------------------------------------------


def test_rule_7_a_retry_never_leaves_the_connection_that_its_debt_is_at(open_shop, monkeypatch):
    """Both PSPs are connected to one organisation and both have a debt of the same payer."""
    shop = open_shop("stripe")
    with unit_of_work(shop.engine) as connection:
        create_connection(connection, shop.org.org_id, Psp.RAZORPAY, "acc_other",
                          Credentials("rzp_test_x", "secret", base_url=shop.stage.base),
                          shop.clock.now(), livemode=False)  # fmt: skip
    shop.own_retries("tinko")
    debt = shop.failed_debt()
    shop.write("update obligations set mandate_ref = :card",
               card=debt.failed_body["payment_method"])  # fmt: skip
    assert shop.think() == {"retry": 1}
    shop.wait_for_the_next()
    shop.charge()
    assert shop.rows("select distinct connection_id from attempts") == [(shop.connection_id,)]
