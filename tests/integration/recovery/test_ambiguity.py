"""Rule 9 on real engines: after a timeout, a 500 or a kill nobody is charged twice."""

import pytest

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.money_stage import kill_at, side_by_side
from tinko_pipelines.core.recovery.payer_door import AttemptInFlight

AFTER = ["timeout_after_charge", "error_500_after_charge"]
BEFORE = ["timeout_before_charge", "error_500_before_charge"]

# a PaymentIntent canceled for this reason leaves its debt owed; for none, it gives the debt up
LEFT = {"cancellation_reason": "abandoned"}


@pytest.mark.parametrize("fault", AFTER)
def test_charged_but_not_told_is_found_by_its_event(shop, fault):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    shop.faults(**{fault: 1})
    assert shop.charge() == "unknown"
    assert shop.locks() == [("charge",)]
    shop.hear(days=6)
    assert shop.state(attempt) == "succeeded"
    assert shop.debt_state() == "paid"
    assert shop.locks() == []
    assert shop.taken() == AMOUNT


@pytest.mark.parametrize("fault", AFTER)
def test_charged_but_not_told_is_found_by_reading(shop, fault):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    shop.faults(**{fault: 1})
    assert shop.charge() == "unknown"
    assert shop.resolve() == {}
    shop.wall.advance(minutes=2)
    shop.resolve()
    assert shop.state(attempt) in ("succeeded", "pending")
    assert len(shop.tries()) == 1


@pytest.mark.parametrize("fault", BEFORE)
def test_not_charged_is_known_only_after_two_empty_reads_a_quarter_of_an_hour_apart(shop, fault):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    shop.faults(**{fault: 1})
    assert shop.charge() == "unknown"
    shop.wall.advance(minutes=2)
    for _ in range(3):
        assert shop.resolve() == {"unknown": 1}
    assert shop.rows("select empty_reads from attempts where id = :id", id=attempt) == [(0,)]
    shop.wall.advance(minutes=15)
    # two processes at once are still one read
    assert side_by_side(shop.resolve, shop.resolve) == [{"unknown": 1}] * 2
    shop.wall.advance(minutes=14)
    assert shop.resolve() == {"unknown": 1}
    with pytest.raises(AttemptInFlight):
        shop.payer_door()
    assert shop.locks() == [("charge",)]
    shop.wall.advance(minutes=2)
    assert shop.resolve() == {"not_sent": 1}
    assert shop.locks() == []
    assert shop.tries() == []
    # the key is never used again: another try is another attempt
    assert shop.rows("select key from idempotency_keys") == [(f"tinko-{attempt}",)]
    shop.plan(debt)
    assert shop.charge() in ("succeeded", "pending")
    assert len(shop.tries()) == 1


def test_while_the_psp_is_away_nothing_is_concluded(shop):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    shop.faults(timeout_after_charge=1)
    assert shop.charge() == "unknown"
    shop.faults(outage={})
    for _ in range(4):
        shop.wall.advance(minutes=16)
        assert shop.resolve() == {"psp.away": 1}
    shop.faults()
    shop.resolve()
    assert shop.state(attempt) in ("succeeded", "pending")


LABELS = ["claimed", "read", "door_closed", "permitted", "submitted", "sent", "recorded"]


@pytest.mark.parametrize("label", LABELS)
def test_a_kill_at_any_point_ends_in_exactly_one_charge(shop, label):
    debt = shop.failed_debt()
    shop.second_door(debt)
    attempt = shop.plan(debt)
    shop.charge_and_die(label)
    before_sending = label in LABELS[:4]
    assert shop.state(attempt) == (
        "claimed" if before_sending else "submitted" if label != "recorded" else shop.state(attempt)
    )
    # nothing is given up while the dead process might still be alive
    assert shop.resolve() == {}
    for _ in range(5):
        shop.wall.advance(minutes=16)
        shop.resolve()
        for claim in shop.claims():
            shop.charger().make(claim)
    if label == "submitted":
        assert shop.state(attempt) == "not_sent"
        shop.plan(debt)
        shop.charge()
    shop.hear(days=6)
    assert shop.debt_state() == "paid"
    assert shop.taken() == AMOUNT
    assert len(shop.tries()) == 1
    assert shop.locks() == []


def test_a_kill_while_a_superseding_intent_is_made_is_found_again(striped):
    """The intent is cancelled between our read and our charge: a new one takes its place, and the
    answer is lost. Who looks only at the old one would charge a second time."""
    debt = striped.failed_debt("failing_intent")
    attempt = striped.plan(debt)

    def cancelled(label):
        if label == "submitted":
            striped.stage.sdk.v1.payment_intents.cancel(debt.ref.object_id, LEFT)

    striped.faults(timeout_after_charge=1)
    assert striped.charge(cancelled) == "unknown"
    assert len(striped.stage.sdk.v1.payment_intents.list({}).data) == 2
    for _ in range(3):
        striped.wall.advance(minutes=16)
        striped.resolve()
    assert striped.state(attempt) == "succeeded"
    assert len(striped.tries()) == 1


def test_a_retry_after_a_superseded_intent_is_looked_for_at_its_own_door(striped):
    debt = striped.failed_debt("failing_intent")
    poor = striped.stage.instrument(debt, "chargeDeclinedInsufficientFunds")
    striped.plan(debt, method_ref=poor)
    cancel = striped.stage.sdk.v1.payment_intents.cancel
    striped.charge(lambda label: label == "submitted" and cancel(debt.ref.object_id, LEFT))
    striped.hear()
    assert len(striped.tries()) == 1
    attempt = striped.plan(debt)
    striped.faults(timeout_after_charge=1)
    assert striped.charge() == "unknown"
    for _ in range(3):
        striped.wall.advance(minutes=16)
        striped.resolve()
    assert striped.state(attempt) == "succeeded"
    assert striped.taken() == AMOUNT


def test_a_pending_debit_whose_end_nobody_told_is_read(razored):
    debt = razored.failed_debt()
    attempt = razored.plan(debt)
    assert razored.charge() == "pending"
    razored.faults(drop_webhooks={"rate": 1.0})
    razored.hear(days=6)
    assert razored.state(attempt) == "pending"
    razored.read_pending()
    assert razored.state(attempt) == "succeeded"
    assert razored.debt_state() == "paid"


def test_a_late_success_wins_over_the_failure_before_it(razored):
    """Debits time out at the bank; those it takes after all are found paid, each once."""
    sdk, stage = razored.stage.sdk, razored.stage
    customer = sdk.customer.create(
        {"name": "Asha Rao", "email": "late@example.com", "contact": "+919812300001"}
    )["id"]
    for _ in range(12):
        token = stage.token(customer, "processing_error", "upi")
        order = sdk.order.create(
            {"amount": AMOUNT, "currency": "INR", "payment_capture": True,
             "notification": {"token_id": token}}
        )  # fmt: skip
        sdk.payment.createRecurring(
            {"email": "late@example.com", "contact": "+919812300001", "amount": AMOUNT,
             "currency": "INR", "order_id": order["id"], "customer_id": customer,
             "token": token, "recurring": True}
        )  # fmt: skip
    for _ in range(6):
        razored.hear(days=2)
        razored.think()
    late = {one["id"] for one in razored.truth() if one["captured"]}
    assert late, "the world has none: the test proves nothing"
    won = razored.rows("select psp_payment_id from attempts where state = 'succeeded'")
    assert {one for (one,) in won} == late
    steps = razored.rows(
        "select distinct from_state from state_history where entity = 'attempt'"
        " and to_state = 'succeeded'"
    )
    assert steps == [("failed",)]
    # heard of as failed, each had its case
    assert razored.rows(
        "select distinct c.state from cases as c inner join obligations as o"
        " on c.obligation_id = o.id where o.state = 'paid'"
    ) == [("recovered",)]


def test_a_kill_of_the_reader_changes_nothing(shop):
    """Killed between the PSP's answer and our writing it down: the next pass finds the same."""
    debt = shop.failed_debt()
    shop.plan(debt)
    (claim,) = shop.claims()
    with pytest.raises(BaseException, match="sent"):
        shop.charger(kill_at("sent")).make(claim)
    shop.wall.advance(minutes=2)
    shop.resolve()
    shop.resolve()
    assert len(shop.tries()) == 1
