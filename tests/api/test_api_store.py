"""The inbox's store on the real database, against a model of "once"."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from api.webhooks.storage import InboxStorage
from tests.api.deliveries import make_merchant
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import PartitionMissing
from tinko_pipelines.core.ids import id_time
from tinko_pipelines.core.inbox.store import IncomingEvent, store_events
from tinko_pipelines.core.psp.types import ParsedEvent, Psp

NOW = datetime.now(UTC).replace(microsecond=0)


def event_of(merchant, event_id, body, connection=None, **more):
    parsed = ParsedEvent(event_id, "charge.failed", NOW, False, None, ("ch_1", "pi_1"))
    return IncomingEvent.of(
        merchant.org_id, connection or merchant.stripe, Psp.STRIPE, parsed, body, **more
    )


def model(events):
    """Stored unless an event that was stored before shares a key, one after the other."""
    keys, kept = set(), []
    for item in events:
        own = {(item.connection_id, key) for key in item.keys}
        kept.append(not own & keys)
        if kept[-1]:
            keys |= own
    return kept


@pytest.fixture
def merchants(worker, settings):
    return [make_merchant(worker, settings.credentials_key, slug) for slug in ("acme", "zenith")]


def drawn(merchants, seed, count):
    """Few ids and bodies for many events, so that they meet in every way."""
    draw = random.Random(seed)
    return [
        event_of(
            who := draw.choice(merchants),
            f"evt_{draw.randrange(count // 3)}",
            b"body %d" % draw.randrange(count // 3),
            draw.choice([who.stripe, who.razorpay]),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(6))
def test_a_batch_is_stored_as_if_one_by_one(worker, merchants, inbox, inbox_keys, seed):
    events = drawn(merchants, seed, 60)
    expected = []
    for org in sorted({item.org_id for item in events}, key=lambda org: org.bytes):
        expected += model([item for item in events if item.org_id == org])
    with unit_of_work(worker) as connection:
        results = store_events(connection, events, NOW)
    order = sorted(range(len(events)), key=lambda index: events[index].org_id.bytes)
    assert [results[index].stored for index in order] == expected
    rows, keys = inbox(), inbox_keys()
    assert len(rows) == sum(expected)
    # every key names an event that is there, and every event has both of its keys
    assert len(keys) == 2 * len(rows)
    assert {key["inbox_id"] for key in keys} == {row["id"] for row in rows}


@pytest.mark.parametrize("seed", range(3))
def test_concurrent_writers_store_each_event_once_and_lose_none(
    worker, merchants, settings, inbox, seed
):
    draw = random.Random(seed)
    events = [
        event_of(merchants[number % 2], f"evt_{number}", b"body %d" % number)
        for number in range(80)
    ]
    sent = [item for item in events for _ in range(3)]
    draw.shuffle(sent)

    async def work():
        stores = [InboxStorage(settings.database_url, writers=2) for _ in range(3)]
        results = await asyncio.gather(
            *(stores[index % 3].submit(item) for index, item in enumerate(sent))
        )
        for one in stores:
            await one.close()
        return results

    results = asyncio.run(asyncio.wait_for(work(), 60))
    assert sum(result.stored for result in results) == len(events)
    assert {row["event_id"] for row in inbox()} == {item.event.event_id for item in events}


def test_one_poisonous_event_fails_alone(merchants, settings, inbox):
    good = [event_of(merchants[0], f"evt_{number}", b"body %d" % number) for number in range(5)]
    bad = event_of(merchants[0], "evt_\x00", b"bad")

    async def work():
        store = InboxStorage(settings.database_url)
        results = await asyncio.gather(
            *(store.submit(item) for item in [*good, bad]), return_exceptions=True
        )
        await store.close()
        return results

    results = asyncio.run(work())
    assert [getattr(result, "code", None) for result in results] == [None] * 5 + ["invalid_input"]
    assert len(inbox()) == 5


def test_heals_are_stored_beside_webhooks_and_known_to_them(worker, merchants, inbox):
    healed = event_of(merchants[0], "heal:ch_1", b"listed", source="heal")
    with unit_of_work(worker) as connection:
        assert store_events(connection, [healed], NOW)[0].stored
        again = store_events(connection, [replace(healed, source="webhook")], NOW)
    assert (again[0].stored, again[0].matched) == (False, "event_id")
    (row,) = inbox()
    assert row["source"] == "heal"
    assert row["received_at"] == NOW
    assert id_time(row["id"]) == NOW


def test_nothing_to_store_is_nothing(worker):
    with unit_of_work(worker) as connection:
        assert store_events(connection, [], NOW) == []


def test_a_month_without_a_partition_says_so(worker, merchants):
    past = NOW - timedelta(days=3000)
    with pytest.raises(PartitionMissing), unit_of_work(worker) as connection:
        store_events(connection, [event_of(merchants[0], "evt_1", b"x")], past)


def test_the_app_cannot_store_for_another_tenant(database, merchants):
    acme, zenith = merchants
    stolen = {"connection": acme.stripe, "org": acme.org_id}
    insert = text(
        "insert into inbox_keys (connection_id, key, org_id, inbox_id)"
        " values (:connection, 'evt:1', :org, :connection)"
    )
    with unit_of_work(database.app, acme.org_id) as connection:
        connection.execute(insert, stolen)
    with unit_of_work(database.app, zenith.org_id) as connection:
        nested = connection.begin_nested()
        with pytest.raises(ProgrammingError, match="row-level security"):
            connection.execute(insert, stolen | {"connection": zenith.stripe})
        nested.rollback()
