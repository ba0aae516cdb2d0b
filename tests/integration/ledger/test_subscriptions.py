"""A subscription that was cancelled or paused stops every debt it made, for good, in any order."""

from datetime import timedelta
from itertools import permutations

import pytest

from tests.integration.ledger.aftermath_world import NOW, S, Told, charge
from tests.unit.psp.psp_payloads import stripe_event, stripe_object
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.apply import apply_observation, lock_refs
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen, SubscriptionStanding
from tinko_pipelines.core.psp.types import Observation, Psp, Ref, RefKind
from tinko_pipelines.core.recovery.deciding import decide_due

READERS = {psp: registry.reader(psp) for psp in Psp}
LIVE, PAUSED, CANCELLED = SubscriptionStanding


@pytest.fixture
def told(database):
    return Told(database)


def hear(told, seen):
    with unit_of_work(told.database.worker) as connection:
        lock_refs(connection, told.account, [seen])
        apply_observation(connection, told.account, seen, told.clock.now())


def invoice(name, subscription="sub_1", **changes):
    """An open invoice that Stripe does not retry, with a payment method of its own."""
    about = stripe_object(
        "invoice", id=name, status="open", amount_due=1000, amount_paid=0, currency="usd",
        default_payment_method="pm_1", parent__subscription_details__subscription=subscription,
        payments=None, customer_email="someone@example.com",
        **({"auto_advance": False, "collection_method": "charge_automatically"} | changes),
    )  # fmt: skip
    return READERS[Psp.STRIPE].observe_event(stripe_event("invoice.updated", about))


def subscription(kind, at=0, **changes):
    about = stripe_object("subscription", id="sub_1", pause_collection=None, **changes)
    body = stripe_event(f"customer.subscription.{kind}", about, created=1760000500 + at)
    return READERS[Psp.STRIPE].observe_event(body)


def cycle(kind, status, at):
    """A Razorpay subscription whose cycle is owed, or how it stands now."""
    entity = {"id": "sub_1", "entity": "subscription", "status": status, "current_start": 1,
              "current_end": 2, "customer_id": "cust_1"}  # fmt: skip
    body = {"event": f"subscription.{kind}", "created_at": at,
            "payload": {"subscription": {"entity": entity}}}  # fmt: skip
    return READERS[Psp.RAZORPAY].observe_event(body)


def plan(told, debt):
    """A retry of ours, scheduled on a debt."""
    planned = new_id(told.clock.now())
    told.write(
        "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor, state,"
        " amount_minor, currency, created_at, updated_at) select :id, org_id, connection_id, psp,"
        " id, 'tinko', 'scheduled', 1000, 'USD', created_at, updated_at from obligations"
        " where id = :debt", id=planned, debt=debt,
    )  # fmt: skip
    return planned


def debts(told):
    return told.rows(
        "select r.object_id, o.stopped_by, o.has_mandate, o.psp_retries from obligations as o"
        " inner join psp_refs as r on r.obligation_id = o.id where r.object_id like 'in_%'"
        " order by 1"
    )


def test_no_later_look_at_its_payment_method_revives_it_and_nothing_is_retried(told):
    """The news of a watched debt: failed, cancelled, then updated with its payment method."""
    told.say(charge("ch_1", S.FAILED), refs=(Ref(RefKind.INVOICE, "in_1"),))
    hear(told, invoice("in_1", auto_advance=True))
    told.work()
    hear(told, subscription("deleted"))
    hear(told, invoice("in_1"))
    assert debts(told) == [("in_1", "cancelled", True, False)]
    assert dict(decide_due(told.database.worker, told.clock).actions) == {"ask_payer": 1}
    assert told.rows("select reasons -> 'reasons' from decisions") == [
        (["subscription.cancelled"],)
    ]
    assert told.rows("select state from cases") == [("awaiting_payer",)]
    assert told.rows("select count(*) from attempts where actor = 'tinko'") == [(0,)]


def test_every_open_invoice_of_it_is_stopped_at_once(told):
    for name in ("in_1", "in_2"):
        told.say(charge(f"ch_{name}", S.FAILED), refs=(Ref(RefKind.INVOICE, name),))
        hear(told, invoice(name))
    hear(told, invoice("in_3", subscription="sub_2"))
    told.work()
    told.write("update cases set decide_at = null")
    planned = [plan(told, debt) for (debt,) in told.rows("select id from obligations order by id")]
    hear(told, subscription("deleted", latest_invoice="in_2"))
    states = dict(told.rows("select id, state from attempts where actor = 'tinko'"))
    assert [states[one] for one in planned] == ["cancelled", "cancelled", "scheduled"]
    assert [one[1] for one in debts(told)] == ["cancelled", "cancelled", None]
    assert told.rows("select count(*) from cases where decide_at is not null") == [(2,)]


def test_any_order_of_news_stops_the_debt(database):
    news = {
        "failed": Observation(
            refs=(Ref(RefKind.INVOICE, "in_1"), Ref(RefKind.PAYMENT, "ch_1")), due=1000,
            due_from=RefKind.INVOICE, currency="USD", payments=(charge("ch_1", S.FAILED),),
        ),
        "billed": invoice("in_1"),
        "lives": subscription("updated", at=-60, status="active"),
        "deleted": subscription("deleted"),
        "paused": subscription("paused", at=-30, status="paused"),
    }  # fmt: skip
    told = Told(database)
    for order in permutations(news):
        with told.database.worker.connect() as connection:
            for name in order:
                lock_refs(connection, told.account, [news[name]])
                apply_observation(connection, told.account, news[name], NOW)
            found = connection.exec_driver_sql(
                "select stopped_by, subscription_ref, has_mandate from obligations"
            ).all()
            assert found == [("cancelled", "sub_1", True)], order
            connection.rollback()


def test_any_order_of_a_pause_and_a_resumption_ends_with_the_latest(database):
    told = Told(database)
    for psp, news in {
        "stripe": [invoice("in_1"), subscription("paused", 1, status="paused"),
                   subscription("resumed", 2, status="active")],
        "razorpay": [cycle("pending", "pending", 10), cycle("paused", "paused", 11),
                     cycle("resumed", "active", 12)],
    }.items():  # fmt: skip
        for order in permutations(news):
            with told.database.worker.connect() as connection:
                owed = Observation(refs=(Ref(RefKind.SUBSCRIPTION_CYCLE, "sub_1:1"),), due=1000,
                                   currency="INR")  # fmt: skip
                for seen in (owed, *order) if psp == "razorpay" else order:
                    lock_refs(connection, told.account, [seen])
                    apply_observation(connection, told.account, seen, NOW)
                found = connection.exec_driver_sql("select stopped_by from obligations").all()
                assert found == [(None,)], order
                connection.rollback()


@pytest.mark.parametrize("status", ["paused", "cancelled"])
def test_a_stopped_razorpay_subscription_stops_its_cycles(told, status):
    told.say(refs=(Ref(RefKind.SUBSCRIPTION_CYCLE, "sub_1:1"),))
    hear(told, cycle("halted", "halted", 10))
    planned = plan(told, *told.rows("select id from obligations")[0])
    hear(told, cycle(status, status, 11))
    hear(told, cycle("pending", "pending", 9))  # late, and no longer so
    assert told.rows("select stopped_by from obligations") == [(status,)]
    assert told.rows("select state from attempts where id = :id", id=planned) == [("cancelled",)]
    hear(told, cycle("resumed", "active", 12))
    freed = None if status == "paused" else "cancelled"
    assert told.rows("select stopped_by from obligations") == [(freed,)]


def test_what_is_read_may_stop_a_debt_and_never_frees_it(told):
    hear(told, invoice("in_1"))
    for standing, stopped in ((PAUSED, "paused"), (LIVE, "paused"), (CANCELLED, "cancelled")):
        hear(told, Observation(subscription=SubscriptionSeen("sub_1", standing)))
        assert [one[1] for one in debts(told)] == [stopped]
        told.clock.instant += timedelta(hours=1)


def test_the_last_invoice_that_it_names_is_its_own_though_it_does_not_say_so(told):
    hear(told, _unnamed("in_1"))
    hear(told, subscription("deleted", latest_invoice="in_1"))
    assert [one[1] for one in debts(told)] == ["cancelled"]
    hear(told, _unnamed("in_1"))
    assert [one[1] for one in debts(told)] == ["cancelled"]


def test_a_merged_debt_is_stopped_as_its_parts_were(told):
    session = Ref(RefKind.CHECKOUT_SESSION, "cs_1")
    told.say(refs=(session,))
    hear(told, invoice("in_1"))
    hear(told, subscription("deleted"))
    told.say(refs=(Ref(RefKind.INVOICE, "in_1"), session), due=None)
    assert told.rows("select stopped_by from obligations where state = 'open'") == [("cancelled",)]


def _unnamed(name):
    about = stripe_object("invoice", id=name, status="open", amount_due=1000, currency="usd",
                          parent=None, payments=None)  # fmt: skip
    return READERS[Psp.STRIPE].observe_event(stripe_event("invoice.updated", about))
