"""A retry of ours that is under way when its debt's subscription ends is not sent."""

import json

import pytest

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.inbox.store import IncomingEvent, store_events
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.subscriptions import SubscriptionSeen, SubscriptionStanding

ENDED = {
    "id": "evt_TinkoEnded", "object": "event", "type": "customer.subscription.deleted",
    "livemode": False,
    "data": {"object": {"id": "sub_TinkoMarch", "object": "subscription", "status": "canceled"}},
}  # fmt: skip


@pytest.fixture
def planned(striped):
    """A debt that a subscription made, and the retry of it that is due."""
    debt = striped.failed_debt()
    striped.apply(refs=(debt.ref,), subscription=SubscriptionSeen("sub_TinkoMarch"))
    return striped.plan(debt)


@pytest.mark.parametrize("label", ["claimed", "read"])
def test_one_that_ends_while_the_charge_is_prepared(striped, planned, label):
    ended = SubscriptionSeen("sub_TinkoMarch", SubscriptionStanding.CANCELLED)

    def end(here):
        if here == label:
            striped.apply(subscription=ended)

    assert striped.charge(end) == "subscription.cancelled"
    assert striped.state(planned) == "cancelled"
    assert striped.tries() == []
    assert striped.locks() == []


def test_unread_news_of_its_end_holds_a_charge_up_and_read_cancels_it(striped, planned):
    raw = json.dumps(ENDED | {"created": int(striped.clock.now().timestamp())}).encode()
    parsed = registry.reader(striped.stage.psp).parse_event(json.loads(raw), {})
    event = IncomingEvent.of(
        striped.org.org_id, striped.connection_id, striped.stage.psp, parsed, raw
    )
    with unit_of_work(striped.engine, striped.org.org_id) as connection:
        store_events(connection, [event], striped.clock.now())
    assert striped.charge() == "inbox.unprocessed"
    assert striped.state(planned) == "scheduled"
    striped.work()
    assert striped.state(planned) == "cancelled"
    assert striped.tries() == []
