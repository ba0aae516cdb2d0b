"""A webhook that its PSP has switched off is seen, and so is one that only stays silent."""

from datetime import timedelta

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.ingestion.overview import hearings
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.ingestion.watch import Hearing, look, note
from tinko_pipelines.core.psp.webhook_state import WebhookState

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
    assert (seen.hearing, seen.state, seen.webhooks) == (Hearing.SILENT, WebhookState.ON, 0)
    assert seen.healed > 0 < seen.payments
    # another that is on hears for somebody else
    others = [{"url": "http://127.0.0.1:9/v1/webhooks/other", "active": True}]
    shop.endpoint(url=shop.webhook, active=False, others=others)
    assert hearing(shop).hearing is Hearing.DISABLED
    shop.endpoint(url=others[0]["url"], others=others)
    assert hearing(shop).hearing is Hearing.MISSING

    def refused(*_):
        raise PspRejected("this key may not ask")

    monkeypatch.setattr(type(shop.seat.adapter), "webhook_state", refused)
    assert hearing(shop).state is None
    # a connection younger than the window has had no chance to hear
    shop.write("update connections set created_at = :now", now=now - timedelta(hours=1))
    assert look(shop.engine, shop.desk, shop.stage.psp, now, HOURS) == []


def test_one_that_fell_silent_is_not_alive_for_what_it_said_before(striped):
    """Ten of its hours are within the window; what came since only a listing found."""
    striped.stage.paid()
    striped.hear(hours=1)
    striped.write("update connections set created_at = created_at - interval '30 days'")
    striped.faults(drop_webhooks={"rate": 1.0})
    striped.advance(hours=1)
    for _ in range(3):
        striped.stage.paid()
    striped.advance(hours=9)
    striped.faults()
    now = striped.clock.now()
    ingest_records(striped.engine, striped.seat, striped.clock, now.date(), 1)
    seen = look(striped.engine, striped.desk, striped.stage.psp, now, 24)[0]
    assert seen.webhooks > 0
    assert seen.unheard >= 5
    assert seen.hearing is Hearing.SILENT


def test_what_was_found_is_kept_with_the_time_it_began(striped):
    striped.write("update connections set created_at = created_at - interval '30 days'")
    wall, first = striped.wall.now(), striped.clock.now()

    def found(now):
        views = look(striped.engine, striped.desk, striped.stage.psp, now, 24)
        note(striped.engine, views, now, wall + (now - first))
        (kept,) = striped.rows("select hearing, since, looked_wall from webhook_watch")
        return kept

    assert found(first) == ("quiet", first, wall)
    later = first + timedelta(minutes=15)
    assert found(later) == ("quiet", first, wall + timedelta(minutes=15))
    striped.endpoint(url=striped.webhook, active=False)
    assert found(later) == ("disabled", later, wall + timedelta(minutes=15))
    (told,) = hearings(striped.engine)
    assert (told.psp, told.hearing, told.connections) == ("stripe", "disabled", 1)
    striped.write("update connections set status = 'disabled'")
    assert hearings(striped.engine) == []
