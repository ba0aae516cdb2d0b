"""What Stripe pays out: payouts, and the balance transactions that each is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from tinko_pipelines.core.errors import PspRejected
from tinko_pipelines.core.psp.paging import Cursor, SettlementPage, from_stream
from tinko_pipelines.core.psp.payload import instant, number, object_id, part, text
from tinko_pipelines.core.psp.settlement import (
    LineKind,
    Payout,
    PayoutInterval,
    PayoutStatus,
    SettlementLine,
)
from tinko_pipelines.core.psp.stripe.client import StripeCalls
from tinko_pipelines.core.psp.stripe.mapping import currency_of
from tinko_pipelines.core.psp.stripe.payments import EPOCH

BALANCE, PAYOUTS = "/v1/balance_transactions", "/v1/payouts"
_STATUS = {
    "paid": PayoutStatus.PAID,
    "failed": PayoutStatus.FAILED,
    "canceled": PayoutStatus.CANCELLED,
}
# docs.stripe.com/reports/reporting-categories; what is not here is `other`
KINDS: dict[str, LineKind] = {
    "charge": LineKind.PAYMENT,
    "charge_failure": LineKind.ADJUSTMENT,
    "partial_capture_reversal": LineKind.ADJUSTMENT,
    "refund": LineKind.REFUND,
    "refund_failure": LineKind.REFUND_FAILURE,
    "dispute": LineKind.DISPUTE,
    "dispute_reversal": LineKind.DISPUTE_REVERSAL,
    "fee": LineKind.FEE,
    "network_cost": LineKind.FEE,
    "tax": LineKind.FEE,
    "transfer": LineKind.TRANSFER,
    "transfer_reversal": LineKind.TRANSFER,
    "payout_reversal": LineKind.PAYOUT_FAILURE,
    "other_adjustment": LineKind.ADJUSTMENT,
    "risk_reserved_funds": LineKind.ADJUSTMENT,
    "connect_reserved_funds": LineKind.ADJUSTMENT,
}


def interval(calls: StripeCalls) -> PayoutInterval | None:
    """How often the account is paid out; None where a restricted key may not ask.

    docs.stripe.com/api/accounts/object, `settings.payouts.schedule.interval`.
    """
    try:
        return interval_of(calls.get("/v1/account"))
    except PspRejected:
        return None


def interval_of(account: Mapping[str, Any]) -> PayoutInterval | None:
    """As an account says it; None where it says nothing that we know."""
    said = text(account, "settings", "payouts", "schedule", "interval")
    return PayoutInterval(said) if said in set(PayoutInterval) else None


def payouts(calls: StripeCalls, start: datetime, end: datetime) -> Iterator[Payout]:
    """The payouts made in [start, end), newest first. A paid one can still fail: list it again."""
    span = {"gte": int(start.timestamp()), "lt": int(end.timestamp())}
    for body in calls.pages(PAYOUTS, created=span):
        yield payout(body)


def lines(calls: StripeCalls, start: datetime, end: datetime) -> Iterator[SettlementLine]:
    """The lines of every itemised payout made in [start, end).

    The payout's own movement out of the balance is none of its lines.
    """
    for one in payouts(calls, start, end):
        if not one.itemised:
            continue
        found = calls.pages(BALANCE, payout=one.payout_id, expand=["data.source"])
        for body in found:
            if not _is_the_payout(body, one):
                yield line(body, one)


def pages(
    calls: StripeCalls, start: datetime, end: datetime, after: Cursor | None = None
) -> Iterator[SettlementPage]:
    """The balance transactions made in [start, end), whether paid out or not, then the payouts
    made in it and the lines of each, a page at a time.

    Manual payouts list no lines, so that the transactions' own listing is all that shows theirs.
    """
    span = {"gte": int(start.timestamp()), "lt": int(end.timestamp())}
    for stream, behind in from_stream((BALANCE, PAYOUTS), after):
        if stream == BALANCE:
            for found in calls.turned(BALANCE, behind, created=span, expand=["data.source"]):
                lines = tuple(line(body) for body in found if body.get("type") != "payout")
                yield SettlementPage((), lines, _at(stream, found[-1]["id"]))
        else:
            yield from _by_payout(calls, list(payouts(calls, start, end)), behind)


def _by_payout(
    calls: StripeCalls, made: list[Payout], behind: list[str] | None
) -> Iterator[SettlementPage]:
    """The payouts, then the lines of each; `behind` names the payout and line to go on behind."""
    if made and behind is None:
        yield SettlementPage(tuple(made), (), _at(PAYOUTS, ["", ""]))
    itemised = [one for one in made if one.itemised]
    ids = [one.payout_id for one in itemised]
    begun, last = behind or ["", ""]
    for one in itemised[ids.index(begun) if begun in ids else 0 :]:
        after = last if one.payout_id == begun else None
        found = calls.turned(BALANCE, after, payout=one.payout_id, expand=["data.source"])
        for bodies in found:
            own = tuple(line(body, one) for body in bodies if not _is_the_payout(body, one))
            yield SettlementPage((), own, _at(PAYOUTS, [one.payout_id, str(bodies[-1]["id"])]))


def _at(stream: str, after: Any) -> Cursor:
    return {"stream": stream, "after": after}


def payout(body: Mapping[str, Any]) -> Payout:
    """A payout object in our words. A manual one cannot list its balance transactions."""
    automatic = body.get("automatic") is not False
    return Payout(
        payout_id=str(body["id"]),
        status=_STATUS.get(str(body.get("status")), PayoutStatus.PENDING),
        amount=number(body, "amount") or 0,
        currency=currency_of(body) or "",
        created_at=instant(body, "created") or EPOCH,
        utr=text(body, "trace_id", "value"),
        itemised=automatic,
        final=body.get("reconciliation_status") != "in_progress",
    )


def line(body: Mapping[str, Any], paid_by: Payout | None = None) -> SettlementLine:
    """A balance transaction, its `source` expanded or not, in our words."""
    source = body.get("source")
    source_id = object_id(source)
    rate = body.get("exchange_rate")
    return SettlementLine(
        line_id=str(body["id"]),
        kind=_kind(body),
        source_id=source_id,
        payment_id=_payment(source, source_id),
        payout_id=paid_by.payout_id if paid_by else None,
        payout_status=paid_by.status if paid_by else None,
        gross=number(body, "amount") or 0,
        fee=number(body, "fee") or 0,
        tax=sum(number(one, "amount") or 0 for one in _fees(body) if text(one, "type") == "tax"),
        net=number(body, "net") or 0,
        currency=currency_of(body) or "",
        created_at=instant(body, "created") or EPOCH,
        available_on=instant(body, "available_on"),
        settled_at=paid_by.created_at if paid_by else None,
        exchange_rate=None if rate is None else Decimal(str(rate)),
        utr=paid_by.utr if paid_by else None,
    )


def _kind(body: Mapping[str, Any]) -> LineKind:
    said = KINDS.get(str(body.get("reporting_category")))
    if said is not None:
        return said
    # a payout that failed is told by its type alone
    failed = str(body.get("type")) in ("payout_failure", "payout_cancel")
    return LineKind.PAYOUT_FAILURE if failed else LineKind.OTHER


def _payment(source: Any, source_id: str | None) -> str | None:
    """The charge itself, or the one that a refund or dispute is of."""
    if source_id is not None and source_id.startswith(("ch_", "py_")):
        return source_id
    return object_id(part(source, "charge"))


def _fees(body: Mapping[str, Any]) -> list[Any]:
    found = body.get("fee_details")
    return found if isinstance(found, list) else []


def _is_the_payout(body: Mapping[str, Any], one: Payout) -> bool:
    return body.get("type") == "payout" and object_id(body.get("source")) == one.payout_id
