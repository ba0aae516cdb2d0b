"""What Razorpay pays out: settlements, and the lines of the combined reconciliation report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tinko_pipelines.core.psp.paging import Cursor, SettlementPage, from_stream
from tinko_pipelines.core.psp.payload import instant, number, text
from tinko_pipelines.core.psp.razorpay.client import RazorpayCalls
from tinko_pipelines.core.psp.razorpay.payments import EPOCH
from tinko_pipelines.core.psp.razorpay.reads import span_of
from tinko_pipelines.core.psp.settlement import LineKind, Payout, PayoutStatus, SettlementLine

INDIA = ZoneInfo("Asia/Kolkata")
PAGE = 1000
_STATUS = {
    "processed": PayoutStatus.PAID,
    "failed": PayoutStatus.FAILED,
    "cancelled": PayoutStatus.CANCELLED,
}
_KINDS = {
    "payment": LineKind.PAYMENT,
    "refund": LineKind.REFUND,
    "transfer": LineKind.TRANSFER,
    "adjustment": LineKind.ADJUSTMENT,
}


def payouts(calls: RazorpayCalls, start: datetime, end: datetime) -> Iterator[Payout]:
    """The settlements made in [start, end), newest first."""
    for entity in calls.pages(calls.sdk.settlement.all, span_of(start, end)):
        yield payout(entity)


def lines(calls: RazorpayCalls, start: datetime, end: datetime) -> Iterator[SettlementLine]:
    """The lines of the settlements made in [start, end), and those held back in it.

    The report is asked for day by day, and its days are India's.
    """
    known = {one.payout_id: one.status for one in payouts(calls, start, end)}
    for day in _days(start, end):
        asked = {"year": day.year, "month": day.month, "day": day.day}
        for entity in calls.pages(calls.sdk.settlement.report, asked, PAGE):
            one = line(entity, known)
            if start <= (one.settled_at or one.created_at) < end:
                yield one


def pages(
    calls: RazorpayCalls, start: datetime, end: datetime, after: Cursor | None = None
) -> Iterator[SettlementPage]:
    """The settlements made in [start, end), then the lines settled or held back in it, a page at
    a time."""
    made = tuple(payouts(calls, start, end))
    known = {one.payout_id: one.status for one in made}
    days = [day.isoformat() for day in _days(start, end)]
    if made and after is None:
        yield SettlementPage(made, (), {"stream": days[0], "after": 0})
    for stream, read in from_stream(days, after):
        day, skip = date.fromisoformat(stream), read or 0
        asked = {"year": day.year, "month": day.month, "day": day.day}
        for found in calls.turned(calls.sdk.settlement.report, asked, PAGE, skip):
            skip += len(found)
            lines = (line(entity, known) for entity in found)
            own = tuple(one for one in lines if start <= (one.settled_at or one.created_at) < end)
            yield SettlementPage((), own, {"stream": stream, "after": skip})


def payout(entity: Mapping[str, Any]) -> Payout:
    """A settlement entity in our words; Razorpay settles in rupees."""
    return Payout(
        payout_id=str(entity["id"]),
        status=_STATUS.get(str(entity.get("status")), PayoutStatus.PENDING),
        amount=number(entity, "amount") or 0,
        currency=(text(entity, "currency") or "INR").upper(),
        created_at=instant(entity, "created_at") or EPOCH,
        utr=text(entity, "utr"),
        final=entity.get("status") in _STATUS,
    )


def line(entity: Mapping[str, Any], payouts: Mapping[str, PayoutStatus]) -> SettlementLine:
    """A row of the report. `payouts`: how the settlements known by now stand.

    Net is what it adds to the settlement (credit less debit); the fee includes the tax.
    """
    kind, source = str(entity.get("type")), str(entity.get("entity_id") or "")
    fee = number(entity, "fee") or 0
    net = (number(entity, "credit") or 0) - (number(entity, "debit") or 0)
    settlement = text(entity, "settlement_id")
    disputed = kind == "adjustment" and text(entity, "dispute_id") is not None
    dispute = LineKind.DISPUTE_REVERSAL if net > 0 else LineKind.DISPUTE
    return SettlementLine(
        # a payment, refund, transfer or adjustment is settled by one line
        line_id=source,
        kind=dispute if disputed else _KINDS.get(kind, LineKind.OTHER),
        source_id=text(entity, "dispute_id") if disputed else source,
        payment_id=source if kind == "payment" else text(entity, "payment_id"),
        payout_id=settlement,
        payout_status=payouts.get(settlement, PayoutStatus.PENDING) if settlement else None,
        gross=net + fee,
        fee=fee,
        tax=number(entity, "tax") or 0,
        net=net,
        currency=(text(entity, "currency") or "INR").upper(),
        created_at=instant(entity, "created_at") or EPOCH,
        settled_at=instant(entity, "settled_at"),
        on_hold=entity.get("on_hold") in (True, 1),
        utr=text(entity, "settlement_utr"),
    )


def _days(start: datetime, end: datetime) -> Iterator[date]:
    """India's days that [start, end) touches."""
    day = start.astimezone(INDIA).date()
    last = (end - timedelta(microseconds=1)).astimezone(INDIA).date()
    while day <= last:
        yield day
        day += timedelta(days=1)
