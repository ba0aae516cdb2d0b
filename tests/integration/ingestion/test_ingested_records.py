"""Payments, refunds and disputes of a day: once, resumable, and re-opened by what comes late."""

from datetime import timedelta

import pytest

from tests.contract.adapter_stages import AMOUNT
from tinko_pipelines.core.errors import PspUnreachable
from tinko_pipelines.core.ingestion.days import GOES_ON
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.psp.razorpay import client as razorpay_client
from tinko_pipelines.core.psp.stripe import client as stripe_client


def ingest(shop, day, **how):
    return ingest_records(shop.engine, shop.seat, shop.clock, day, **how)


def today(shop):
    shop.clock.instant = shop.stage.now()
    return shop.clock.now().date()


def pay(shop):
    """A payment, and the day it was made on (at Razorpay its debit takes days)."""
    made = shop.stage.paid()
    today(shop)
    return made, made.occurred_at.date()


def records(shop):
    return shop.rows(
        "select object_id, kind, status, amount_minor, refunded_minor, day from psp_records"
        " order by kind, object_id"
    )


def payments(shop):
    return {one for one, kind, *_ in records(shop) if kind == "payment"}


def days(shop, kind="payment"):
    return {
        day: rest
        for day, *rest in shop.rows(
            "select day, state, listed, late, healed, cursor is null from ingested_days"
            " where kind = :kind order by day", kind=kind,
        )
    }  # fmt: skip


def standing(shop, day):
    ((found,),) = shop.rows(
        "select count(*) from psp_records where kind = 'payment' and day = :day", day=day
    )
    return found


def healed(shop):
    ((found,),) = shop.rows("select count(*) from inbox_events where source = 'heal'")
    return found


def test_what_a_psp_lists_is_kept_once_and_again_changes_nothing(shop, refund):
    paid, day = pay(shop)
    refund(shop, paid.object_id, 500)
    shop.advance(days=1)
    last = today(shop) - timedelta(days=1)
    found = ingest(shop, last, lookback_days=30)
    made = set(shop.stage.payments_made())
    assert payments(shop) == made
    assert (found["payment"], found["refund"], found["dispute"]) == (len(made), 1, 0)
    by_id = {one: rest for one, *rest in records(shop)}
    assert by_id[paid.object_id] == ["payment", "succeeded", AMOUNT, 500, day]
    ((kind, amount, of),) = shop.rows(
        "select kind, amount_minor, payment_id from psp_records where kind = 'refund'"
    )
    assert (kind, amount, of) == ("refund", 500, paid.object_id)
    assert days(shop)[day][:3] == ["closed", standing(shop, day), 0]
    assert len(days(shop)) == 31
    before = shop.rows("select object_id, row_version, listed_at from psp_records order by 1")
    again = ingest(shop, last, lookback_days=30)
    assert (again["changed"], again["healed"]) == (0, 0)
    after = shop.rows("select object_id, row_version, listed_at from psp_records order by 1")
    assert after == before
    assert days(shop)[last][3] == found["healed"] == healed(shop)


def test_a_day_that_has_not_ended_stays_open(striped):
    _, day = pay(striped)
    ingest(striped, day)
    assert days(striped)[day][:2] == ["open", standing(striped, day)]
    pay(striped)
    striped.advance(days=1)
    ingest(striped, day)
    # nothing was closed yet, so nothing came late
    assert days(striped)[day][:3] == ["closed", 4, 0]


def test_a_listing_that_is_cut_short_goes_on_where_it_was(shop, monkeypatch):
    monkeypatch.setattr(stripe_client, "PAGE", 1)
    monkeypatch.setattr(razorpay_client, "PAGE", 1)
    pay(shop)
    shop.advance(days=1)
    last = today(shop) - timedelta(days=1)
    made = set(shop.stage.payments_made())
    pages = shop.seat.adapter.change_pages
    asked, read = [], []

    def cut(_, *span):
        yield next(pages(*span))
        raise PspUnreachable("killed")

    def watched(_, start, end, after=None):
        asked.append(after)
        for page in pages(start, end, after):
            read.extend(one.object_id for one in page.records)
            yield page

    monkeypatch.setattr(type(shop.seat.adapter), "change_pages", cut)
    with pytest.raises(PspUnreachable):
        ingest(shop, last, lookback_days=30)
    kept = payments(shop)
    assert len(kept) == 1
    assert days(shop)[last][-1] is False
    monkeypatch.setattr(type(shop.seat.adapter), "change_pages", watched)
    ingest(shop, last, lookback_days=30)
    assert asked != [None]
    assert set(read) == made - kept
    assert payments(shop) == made
    # each object was healed once, by the one run or the other
    assert days(shop)[last][3:] == [healed(shop), True]


def test_an_old_cursor_is_not_gone_on_from(striped, monkeypatch):
    _, day = pay(striped)
    striped.advance(days=1)
    adapter = type(striped.seat.adapter)
    pages, asked = striped.seat.adapter.change_pages, []

    def cut(_, *span):
        yield next(pages(*span))
        raise PspUnreachable("killed")

    def watched(_, start, end, after=None):
        asked.append(after)
        yield from pages(start, end, after)

    monkeypatch.setattr(adapter, "change_pages", cut)
    with pytest.raises(PspUnreachable):
        ingest(striped, day)
    striped.advance(seconds=GOES_ON.total_seconds() + 1)
    monkeypatch.setattr(adapter, "change_pages", watched)
    ingest(striped, day)
    assert asked == [None]


def test_late_data_reopens_its_day(shop, refund):
    paid, old = pay(shop)
    shop.advance(days=1)
    ingest(shop, old)
    shop.advance(days=10)
    now = today(shop)
    refund(shop, paid.object_id, 700)
    shop.advance(days=1)
    ingest(shop, now, lookback_days=2)
    assert days(shop)[old][:3] == ["reopened", standing(shop, old), 1]
    listed = [now - timedelta(days=2), now - timedelta(days=1), now]
    assert {day: one[0] for day, one in days(shop).items() if day != old} == dict.fromkeys(
        listed, "closed"
    )
    assert (paid.object_id, 700) in {(one, gone) for one, _, _, _, gone, _ in records(shop)}
    ingest(shop, old)
    assert days(shop)[old][:3] == ["closed", standing(shop, old), 1]


def test_what_changes_within_the_lookback_is_late_and_its_day_stays_closed(striped, refund):
    paid, day = pay(striped)
    striped.advance(days=1)
    ingest(striped, day)
    refund(striped, paid.object_id, 700)
    striped.advance(days=1)
    ingest(striped, today(striped) - timedelta(days=1), lookback_days=9)
    assert days(striped)[day][:3] == ["closed", standing(striped, day), 1]
    ((reopened,),) = striped.rows(
        "select reopened_at from ingested_days where kind = 'payment' and day = :day", day=day
    )
    assert reopened == striped.clock.now()


def test_a_capture_that_is_seen_late_is_as_late_as_its_listing(razored):
    paid, day = pay(razored)
    razored.advance(days=1)
    ingest(razored, day)
    razored.write("update psp_records set status = 'authorized', captured_at = null"
                  " where object_id = :id", id=paid.object_id)  # fmt: skip
    razored.advance(hours=5)
    ingest(razored, day)
    ((captured, created),) = razored.rows(
        "select captured_at, created_at from psp_records where object_id = :id", id=paid.object_id
    )
    assert captured == razored.clock.now() > created == paid.occurred_at


def test_what_the_screen_keeps_back_is_not_loaded_and_the_rest_is(striped):
    bad, day = pay(striped)
    striped.advance(days=1)

    def screen(table, frame):
        assert table == "psp_records"
        return frame.filter(frame["object_id"] != bad.object_id)

    ingest(striped, day, screen=screen)
    assert payments(striped) == set(striped.stage.payments_made()) - {bad.object_id}
