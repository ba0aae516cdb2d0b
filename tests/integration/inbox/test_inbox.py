"""The inbox on real engines: one bad event costs its neighbours nothing, and none is lost."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.contract.adapter_stages import AMOUNT
from tests.integration.recovery.money_stage import side_by_side
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import PartitionMissing
from tinko_pipelines.core.inbox.store import IncomingEvent, store_events
from tinko_pipelines.core.psp.types import ParsedEvent

AUGUST = 1_788_000_000
NUL = "what \x00 no column of text takes"  # which no check at the edge asks for
UNWRITABLE = {
    "stripe": {"type": "charge.failed", "created": AUGUST, "data": {"object": {
        "id": "ch_1", "object": "charge", "amount": 1, "currency": "usd", "created": AUGUST,
        "status": "failed", "description": NUL}}},
    "razorpay": {"event": "payment.failed", "created_at": AUGUST, "payload": {"payment": {
        "entity": {"id": "pay_1", "amount": 1, "currency": "INR", "created_at": AUGUST,
        "status": "failed", "method": "card", "description": NUL}}}},
}  # fmt: skip


def drop_in(shop, body, name="evt_of_the_test", connection_id=None):
    """An event that was signed and stored like any other."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    event = ParsedEvent(name, "test", shop.clock.now(), False, None, ())
    with unit_of_work(shop.engine, shop.org.org_id) as connection:
        store_events(
            connection,
            [IncomingEvent.of(shop.org.org_id, connection_id or shop.connection_id,
                              shop.stage.psp, event, raw)],
            shop.clock.now(),
        )  # fmt: skip


def waiting(shop):
    return shop.rows("select count(*) from inbox_events where processed_at is null")[0][0]


def outcomes(shop):
    return dict(shop.rows("select outcome, count(*) from inbox_events group by 1"))


def test_a_poison_event_is_quarantined_with_its_reason_and_its_neighbours_flow(shop):
    shop.stage.failing_debt()
    drop_in(shop, b"{", "evt_unreadable")
    # fails only in the ledger, in the middle of its transaction
    drop_in(shop, UNWRITABLE[shop.stage.psp.value], "evt_unwritable")
    report = shop.hear()
    assert report.quarantined == 2
    assert report.applied > 0
    assert waiting(shop) == 0
    errors = shop.rows("select error from inbox_events where outcome = 'quarantined'")
    assert all("Error" in error for (error,) in errors)
    held = shop.rows("select reasons, payload ->> 'event_id', state from quarantine order by 2")
    assert held == [
        (["event_unreadable"], "evt_unreadable", "quarantined"),
        (["event_unwritable"], "evt_unwritable", "quarantined"),
    ]
    assert shop.debt_state() == "open"


def test_an_event_of_something_the_psp_does_not_know_is_quarantined(shop):
    shop.failed_debt()
    drop_in(shop, {
        "stripe": {"type": "charge.failed", "created": 1, "data": {"object": {
            "id": "ch_1", "object": "charge", "payment_intent": "pi_unheard_of", "amount": 1,
            "currency": "usd", "created": 1, "status": "failed"}}},
        "razorpay": {"event": "payment.failed", "created_at": 1, "payload": {"payment": {"entity": {
            "id": "pay_1", "order_id": "order_Unheard", "amount": 1, "currency": "INR",
            "created_at": 1, "status": "failed"}}}},
    }[shop.stage.psp.value])  # fmt: skip
    assert shop.work().quarantined == 1
    assert waiting(shop) == 0


@pytest.mark.parametrize("fault", ["outage", "api_key_expired", "error_429"])
def test_an_event_whose_psp_is_away_waits_and_is_applied_later(shop, fault):
    debt = shop.stage.failing_debt()
    shop.advance(minutes=2)
    shop.post()
    shop.faults(**{fault: {}})
    for _ in range(2):
        report = shop.work()
        assert report.quarantined == 0
        assert report.waiting > 0
    assert shop.rows("select count(*) from obligations") == [(0,)]
    shop.faults()
    assert shop.work().waiting == 0
    assert waiting(shop) == 0
    assert (debt.ref.object_id,) in shop.rows("select object_id from psp_refs")


def test_an_outage_is_asked_about_once_in_a_pass(shop):
    for _ in range(3):
        shop.stage.failing_debt()
    shop.advance(minutes=2)
    shop.post()
    shop.faults(outage={})
    shop.work()
    assert shop.sandbox.ask("GET", "faults")["outage"]["seen"] == 1


def test_what_waits_does_not_starve_what_comes_after_it(shop):
    first = shop.failed_debt()
    shop.stage.failing_debt()
    shop.advance(minutes=2)
    shop.post()
    shop.faults(outage={})
    held = shop.work().waiting
    assert held > 0
    # news of a debt that is known: nobody has to be asked
    shop.faults()
    shop.declined_again(first, heard=False)
    shop.post()
    shop.faults(outage={})
    assert shop.work(limit=held).applied > 0


def test_a_disconnected_account_keeps_its_events_and_starves_nobody(open_shop):
    shop = open_shop("stripe")
    shop.stage.failing_debt()
    for number in range(5):
        drop_in(shop, {"n": number}, f"evt_{number}", connection_id=shop.org.org_id)
    shop.advance(minutes=2)
    shop.post()
    assert shop.work(limit=5).done > 0
    while shop.work(limit=5).done:
        pass
    assert waiting(shop) == 5
    assert shop.debt_state() == "open"


def test_a_lock_that_does_not_come_makes_an_event_wait_and_is_no_poison(shop):
    debt = shop.failed_debt()
    shop.declined_again(debt, heard=False)
    shop.post()
    impatient(shop, "300ms")
    with unit_of_work(shop.database.app, shop.org.org_id) as connection:
        connection.execute(text("select id from obligations for update"))
        report = shop.work()
    assert report.quarantined == 0
    assert report.waiting > 0
    impatient(shop, "0")
    assert shop.work().waiting == 0
    assert waiting(shop) == 0


def test_a_schema_that_is_not_there_yet_makes_events_wait_and_is_no_poison(shop):
    shop.failed_debt()
    rename(shop, "finished_at", "ended_at")
    shop.stage.failing_debt()
    shop.advance(minutes=2)
    shop.post()
    report = shop.work()
    assert report.quarantined == 0
    assert report.waiting > 0
    rename(shop, "ended_at", "finished_at")
    assert shop.work().waiting == 0
    assert waiting(shop) == 0


def rename(shop, old, new):
    with unit_of_work(shop.database.owner) as connection:
        connection.execute(text(f"alter table attempts rename column {old} to {new}"))
    shop.engine.dispose()


def impatient(shop, timeout):
    """How long the worker's new connections wait for a lock."""
    with unit_of_work(shop.database.owner) as connection:
        connection.execute(
            text(f"alter database {shop.database.name} set lock_timeout = '{timeout}'")
        )
    shop.engine.dispose()


def test_a_missing_partition_is_an_error_and_no_poison(shop):
    shop.failed_debt()
    shop.stage.failing_debt()
    shop.advance(minutes=2)
    shop.post()
    before = waiting(shop)
    shop.clock.instant += timedelta(days=3650)
    with pytest.raises(PartitionMissing):
        shop.work()
    assert waiting(shop) == before > 0
    shop.clock.instant -= timedelta(days=3650)
    shop.work()
    assert waiting(shop) == 0


def test_two_workers_share_an_inbox_and_make_no_second_debt(shop):
    for _ in range(4):
        shop.stage.failing_debt()
    shop.advance(minutes=2)
    shop.post()
    stored = waiting(shop)
    reports = side_by_side(shop.work, shop.work)
    while waiting(shop):
        shop.work()
    assert sum(one.applied + one.ignored for one in reports) <= stored
    assert shop.rows("select count(*) from obligations where state <> 'superseded'") == [(4,)]
    assert shop.rows("select count(*) from attempts") == [(4,)]


# --- healing ------------------------------------------------------------------------------------


def test_what_no_webhook_told_is_found_by_listing_and_listed_twice_is_nothing_new(shop):
    shop.faults(drop_webhooks={"rate": 1.0})
    shop.stage.failing_debt()
    shop.hear()
    assert shop.rows("select count(*) from obligations") == [(0,)]
    first = shop.heal()
    assert first["healed"] > 0
    shop.work()
    assert shop.rows("select state from attempts") == [("failed",)]
    again = shop.heal()
    assert again["healed"] == 0
    assert again["listed"] == first["listed"]
    assert waiting(shop) == 0


def test_a_success_that_no_webhook_told_is_found_by_listing(shop):
    debt = shop.failed_debt()
    attempt = shop.plan(debt)
    shop.faults(drop_webhooks={"rate": 1.0}, timeout_after_charge=1)
    assert shop.charge() == "unknown"
    shop.hear(days=6)
    assert shop.state(attempt) == "unknown"
    shop.heal()
    shop.work()
    if shop.stage.psp.value == "razorpay":
        # known by its note
        assert shop.state(attempt) == "succeeded"
    else:
        # a listed charge carries no key: who looks after unknown ones reads the key's event
        shop.wall.advance(minutes=2)
        shop.resolve()
        assert shop.state(attempt) == "succeeded"
        assert shop.rows("select count(*) from attempts") == [(2,)]
    assert shop.debt_state() == "paid"
    assert shop.taken() == AMOUNT


def test_the_end_of_a_pending_payment_is_healed_whoever_made_it(razored):
    debt = razored.failed_debt()
    razored.debit_again(debt)
    # a debit that is with the bank tells nobody
    razored.heal()
    razored.work()
    assert ("pending",) in razored.rows("select state from attempts")
    razored.faults(drop_webhooks={"rate": 1.0})
    razored.hear(days=6)
    razored.heal()
    razored.work()
    assert razored.rows("select state from attempts order by state") == [
        ("failed",), ("succeeded",),
    ]  # fmt: skip
    assert razored.debt_state() == "paid"


def test_an_invoice_paid_outside_of_any_attempt_or_voided_is_healed(striped):
    invoices = striped.stage.sdk.v1.invoices
    debts = [striped.failed_debt(), striped.failed_debt()]
    striped.faults(drop_webhooks={"rate": 1.0})
    invoices.pay(debts[0].ref.object_id, {"paid_out_of_band": True})
    invoices.void_invoice(debts[1].ref.object_id)
    striped.hear()
    assert striped.rows("select distinct state from obligations") == [("open",)]
    striped.heal()
    striped.work()
    assert striped.rows("select state from obligations order by 1") == [("paid",), ("void",)]
    assert striped.heal()["healed"] == 0
