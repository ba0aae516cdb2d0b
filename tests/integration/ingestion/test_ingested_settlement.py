"""Payouts and the lines of the balance: all of them, once, also those that no payout carries."""

from contextlib import suppress
from datetime import timedelta

import pytest

from tests.contract.adapter_stages import AMOUNT
from tinko_pipelines.core.errors import PspUnreachable
from tinko_pipelines.core.ingestion.records import ingest_records
from tinko_pipelines.core.ingestion.settlement import ingest_settlement
from tinko_pipelines.core.psp.razorpay import settlement as razorpay_settlement
from tinko_pipelines.core.psp.settlement import PayoutInterval
from tinko_pipelines.core.psp.stripe import client as stripe_client


@pytest.fixture
def paid(shop):
    """Two payments, long enough ago that they were paid out."""
    made = {shop.stage.paid().object_id for _ in range(2)}
    shop.advance(days=10)
    return made


def ingest(shop, **how):
    last = shop.clock.now().date() - timedelta(days=1)
    return ingest_settlement(shop.engine, shop.seat, shop.clock, last, 40, **how)


def sums(shop):
    return shop.rows(
        "select p.payout_id, p.amount_minor, sum(l.net_minor) from payouts as p"
        " inner join settlement_lines as l using (connection_id, payout_id) group by 1, 2"
    )


def test_lines_add_up_to_their_payouts(shop, paid):
    found = ingest(shop)
    assert found["payout"] > 0
    assert all(amount == lines for _, amount, lines in sums(shop))
    assert len(sums(shop)) == found["payout"]
    gross = dict(shop.rows(
        "select payment_id, gross_minor from settlement_lines where kind = 'payment'"
    ))  # fmt: skip
    assert gross == dict.fromkeys(paid, AMOUNT)
    assert shop.rows("select distinct state from ingested_days") == [("closed",)]
    ((lines, payouts),) = shop.rows(
        "select (select count(*) from settlement_lines), (select count(*) from payouts)"
    )
    listed = dict(shop.rows("select kind, sum(listed) from ingested_days group by kind"))
    assert listed == {"settlement_line": lines, "payout": payouts}
    assert ingest(shop)["changed"] == 0


def test_it_is_cut_short_anywhere_and_goes_on(shop, paid, monkeypatch):
    monkeypatch.setattr(stripe_client, "PAGE", 1)
    monkeypatch.setattr(razorpay_settlement, "PAGE", 1)
    pages, asked = shop.seat.adapter.settlement_pages, []

    def cut(_, start, end, after=None):
        asked.append(after)
        page = next(pages(start, end, after), None)
        if page is not None:
            yield page
            raise PspUnreachable("killed")

    monkeypatch.setattr(type(shop.seat.adapter), "settlement_pages", cut)
    while len(asked) < 60:
        with suppress(PspUnreachable):
            ingest(shop)
            break
    assert len(asked) > 3
    assert len({str(one) for one in asked}) == len(asked)
    cut_short = shop.rows("select line_id, net_minor, payout_id from settlement_lines order by 1")
    monkeypatch.undo()
    assert all(amount == lines for _, amount, lines in sums(shop))
    shop.write("delete from ingested_days")
    shop.write("delete from settlement_lines")
    ingest(shop)
    whole = shop.rows("select line_id, net_minor, payout_id from settlement_lines order by 1")
    assert cut_short == whole


def test_money_that_no_payout_carries_yet_is_listed_and_finds_its_payout(striped):
    payment = striped.stage.paid()
    striped.advance(days=1)
    ingest(striped)
    ((kind, payout, settled, day),) = striped.rows(
        "select kind, payout_id, settled_at, day from settlement_lines"
    )
    assert (kind, payout, settled) == ("payment", None, None)
    assert day == payment.occurred_at.date()
    striped.advance(days=9)
    ingest(striped)
    ((payout, status, day, made),) = striped.rows(
        "select l.payout_id, l.payout_status, l.day, p.day from settlement_lines as l"
        " inner join payouts as p using (payout_id)"
    )
    assert payout is not None
    assert (status, day) == ("paid", made)


def test_a_payout_that_fails_later_is_known_to_its_lines_and_its_day_is_late(shop, paid):
    ingest(shop)
    shop.write("update payouts set status = 'pending'")
    shop.write("update settlement_lines set payout_status = 'pending'")
    again = ingest(shop)
    assert again["changed"] > 0
    assert shop.rows("select distinct payout_status from settlement_lines") == [("paid",)]
    late = dict(shop.rows("select kind, sum(late) from ingested_days group by kind"))
    ((lines, payouts),) = shop.rows(
        "select (select count(*) from settlement_lines), (select count(*) from payouts)"
    )
    assert late == {"settlement_line": lines, "payout": payouts}


def test_how_often_is_paid_out_is_asked_and_another_answer_reopens_unpaid_days(
    striped, monkeypatch
):
    striped.stage.paid()
    striped.advance(days=1)
    ingest_records(striped.engine, striped.seat, striped.clock, striped.clock.now().date(), 2)

    def said(answer):
        monkeypatch.setattr(type(striped.seat.adapter), "payout_interval", answer)
        ingest(striped)
        return striped.rows("select payout_interval from payout_schedules")

    def away(_):
        raise PspUnreachable("nobody answers")

    ingest(striped)
    assert striped.rows("select payout_interval from payout_schedules") == [("daily",)]
    unpaid = striped.rows("delete from unreconciled_days returning day")
    assert len(unpaid) == 1
    assert said(away) == said(lambda _: PayoutInterval.DAILY) == [("daily",)]
    assert striped.rows("select day from unreconciled_days") == []
    assert said(lambda _: PayoutInterval.MANUAL) == [("manual",)]
    assert striped.rows("select day from unreconciled_days") == unpaid
    assert said(lambda _: None) == [(None,)]
