"""A webhook that its PSP has switched off is seen, and so is one that only stays silent."""

from datetime import timedelta

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.ingestion.watch import Hearing, look

# a debit at Razorpay takes days of the stage's time
HOURS = 14 * 24


def hearing(shop):
    shop.clock.instant = shop.stage.now()
    (one,) = look(shop.engine, shop.desk, shop.stage.psp, shop.clock.now(), HOURS)
    return one


def test_a_disabled_webhook_and_a_silent_one(shop, monkeypatch):
    shop.hear(days=20)
    assert hearing(shop).hearing is Hearing.QUIET
    shop.faults(drop_webhooks={"rate": 1.0})
    shop.stage.paid()
    shop.advance(hours=1)
    shop.faults()
    now = shop.clock.now()
    ingest_records(shop.engine, shop.seat, shop.clock, now.date(), 12)
    # what was told of before the window does not count
    shop.write("delete from inbox_events where source = 'webhook'")
    seen = hearing(shop)
    assert (seen.hearing, seen.enabled, seen.webhooks) == (Hearing.SILENT, True, 0)
    assert seen.healed > 0 < seen.payments
    account = shop.stage.account["account_id"]
    shop.sandbox.ask("PUT", "endpoints", psp=shop.stage.psp.value, account_id=account,
                     url=shop.receiver.url, active=False)  # fmt: skip
    assert hearing(shop).hearing is Hearing.DISABLED

    def refused(_):
        raise PspRejected("this key may not ask")

    monkeypatch.setattr(type(shop.seat.adapter), "webhook_enabled", refused)
    assert hearing(shop).enabled is None
    # a connection younger than the window has had no chance to hear
    shop.write("update connections set created_at = :now", now=now - timedelta(hours=1))
    assert look(shop.engine, shop.desk, shop.stage.psp, now, HOURS) == []
