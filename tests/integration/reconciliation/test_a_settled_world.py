"""A seeded world at the sandbox, listed as it goes: its books agree, and its recoveries settle."""

from datetime import datetime, timedelta

import pytest

from tests.integration.recovery.conftest import (  # noqa: F401 (fixtures)
    START,
    receiver,
    sandbox,
    settings,
)
from tests.integration.recovery.money_stage import Shop
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.ingestion.settlement import ingest_settlement
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.reconciliation.run import (
    connections_of,
    days_that_differ,
    reconcile_day,
)
from tinko_pipelines.core.reconciliation.settle import settle_recoveries, settlement_counts
from tinko_pipelines.core.reconciliation.settling import EXPLAINED

DAYS, AFTER = 3, 13


@pytest.mark.parametrize("psp", list(Psp))
def test_the_books_of_a_world_agree_and_every_recovery_is_accounted_for(
    sandbox, receiver, database, settings, psp  # noqa: F811
):  # fmt: skip
    sandbox.ask("POST", "reset")
    receiver.got.clear()
    shop = Shop(sandbox, receiver, database, psp.value, f"world{psp}")
    sandbox.ask("PUT", "world", seed=5, start=START, obligations=60, days=DAYS, never=0.0,
                late=0.0, twice=0.0, disputes=0.3, shares={psp.value: 1.0})  # fmt: skip
    first = datetime.fromisoformat(START).date()
    for _ in range(DAYS + AFTER):
        shop.hear(days=1)
        shop.think()
    last = shop.clock.now().date() - timedelta(days=1)
    span = (last - first).days
    ingest_records(shop.engine, shop.seat, shop.clock, last, span)
    ingest_settlement(shop.engine, shop.seat, shop.clock, last, span)
    while shop.work().done:
        pass
    (mine,) = connections_of(shop.engine, psp)
    for number in range(span + 1):
        done = reconcile_day(shop.engine, mine, shop.clock, first + timedelta(days=number))
        assert done.skipped is None
    found = shop.rows("select kind, leg, subject_id, evidence from findings where leg is not null")
    assert found == []
    assert days_that_differ(shop.engine) == []
    matched = shop.rows("select sum(matched_minor), sum(ledger_minor) from reconciled_days")
    collected = shop.rows("select sum(amount_minor) from attempts where state = 'succeeded'")
    assert matched == [(collected[0][0], collected[0][0])]
    assert collected[0][0] > 0
    settle_recoveries(shop.engine, shop.clock)
    standing = settlement_counts(shop.engine)
    assert set(standing) <= set(EXPLAINED)
    if psp is Psp.STRIPE:
        # at Razorpay nobody but us recovers what failed, and here we do not
        assert standing["settled"] > 0
    account = shop.stage.account["account_id"]
    sandbox.ask("PUT", "endpoints", psp=psp.value, account_id=account, url=None)
