"""Settlement lines against what was captured, and payouts against their lines.

A captured payment is settled by a payment line that is in a payout and not held back, less what was
adjusted of it: a debit that failed after it was captured leaves two lines that cancel out. Pure.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from tinko_pipelines.core.psp.settlement import LineKind, PayoutStatus
from tinko_pipelines.core.reconciliation.evidence import findings, said
from tinko_pipelines.core.reconciliation.fingerprints import mark, mark_both, repeated, unlike
from tinko_pipelines.core.reconciliation.frames import FINDINGS, KEY, Books, Standing, empty
from tinko_pipelines.core.reconciliation.signed import adjusted, match_signed
from tinko_pipelines.core.reconciliation.vocabulary import FindingKind, Leg

K = FindingKind
_PSP = ("status", "amount_minor", "currency", "fee_minor", "tax_minor", "captured_at")
_LINE = ("line_id", "gross_minor", "fee_minor", "tax_minor", "net_minor", "currency",
         "exchange_rate", "payout_id", "payout_status", "on_hold")  # fmt: skip
_ON_ITS_WAY = (PayoutStatus.PAID.value, PayoutStatus.PENDING.value)
_OF = "_line"
_SUM = ("connection_id", "payment_id", "amount_minor", "currency")
_FEE = ("connection_id", "payment_id", "fee_minor", "tax_minor", "currency")


def is_settled() -> pl.Expr:
    """Whether a line is in a payout that has not come back, and is not held."""
    return (
        pl.col("payout_id").is_not_null()
        & pl.col("payout_status").is_in(_ON_ITS_WAY)
        & ~pl.col("on_hold")
    )


def may_wait(books: Books, overdue_before: datetime) -> bool:
    """Whether anything of `books` is too young to be late."""
    return any(
        (one >= overdue_before).any()
        for one in (
            books.transactions["captured_at"], books.refunds["since"], books.disputes["since"]
        )
    )  # fmt: skip


def match_lines(books: Books, overdue_before: datetime) -> pl.DataFrame:
    """Every finding between the PSP's transactions and its settlement lines."""
    captured = books.transactions.filter(pl.col("status") == Standing.SUCCEEDED)
    paid = books.lines.filter(pl.col("kind") == LineKind.PAYMENT).with_columns(
        payment_id=pl.coalesce("source_id", "payment_id"), amount_minor=pl.col("gross_minor")
    )
    twice = repeated(mark(paid, KEY))
    if not twice.is_empty():
        paid = paid.unique(KEY, keep="first", maintain_order=True)
    paid = adjusted(paid, books.lines)
    return pl.concat(
        [
            *_payments(captured, paid, overdue_before),
            _fees(captured, paid),
            _twice(twice),
            match_signed(books, captured, overdue_before),
        ]
    )


def _payments(
    captured: pl.DataFrame, paid: pl.DataFrame, overdue_before: datetime
) -> list[pl.DataFrame]:
    """Captures without a line that settles them, lines without a capture, and other sums."""
    left, _ = unlike(*mark_both(captured, paid.filter(is_settled()), _SUM))
    _, strange = unlike(*mark_both(captured, paid, _SUM))
    pairs = left.join(paid, on=KEY, how="left", suffix=_OF)
    due = pl.col("captured_at") < overdue_before
    there = pl.col("line_id").is_not_null()
    open_line = ~(there & is_settled().fill_null(value=False))
    same_money = pl.col("currency") == pl.col(f"currency{_OF}")
    other_sum = pl.col("amount_minor") - pl.col(f"amount_minor{_OF}")
    line = said([*_LINE], present="line_id")
    psp, of_pair = said(_PSP), _line_of_pair()
    without = strange.filter(pl.col("amount_minor") != 0).join(captured, on=KEY, how="anti")
    return [
        findings(pairs.filter(open_line & due), K.UNSETTLED, Leg.SETTLEMENT, psp=psp, line=of_pair),
        findings(
            pairs.filter(there & same_money & (other_sum != 0)),
            K.AMOUNT,
            Leg.SETTLEMENT,
            amount=other_sum.abs(),
            psp=psp,
            line=of_pair,
        ),
        findings(
            # settled in another currency at a stated rate is no fault: both are kept, none compared
            pairs.filter(there & ~same_money & pl.col("exchange_rate").is_null()),
            K.CURRENCY,
            Leg.SETTLEMENT,
            psp=psp,
            line=of_pair,
        ),
        findings(without, K.SETTLED_WITHOUT_CAPTURE, Leg.SETTLEMENT, line=line),
    ]


def _line_of_pair() -> pl.Expr:
    """The line's columns in a frame where the payment's own come first."""
    shared = {"fee_minor", "tax_minor", "currency"}
    told = pl.struct(
        pl.col(f"{name}{_OF}" if name in shared else name).alias(name) for name in _LINE
    ).struct.json_encode()
    return pl.when(pl.col("line_id").is_not_null()).then(told).otherwise(pl.lit(None, pl.String))


def _fees(captured: pl.DataFrame, paid: pl.DataFrame) -> pl.DataFrame:
    """Of payments that say their fee (it includes the tax), those whose line says another.

    Razorpay's payments do. Stripe names a fee on the line alone, so that there is no second word
    to hold it against; that its parts add up is checked before it is loaded (`line_sum`).
    """
    known = captured.filter(pl.col("fee_minor").is_not_null()).with_columns(
        pl.col("tax_minor").fill_null(0)
    )
    left, _ = unlike(*mark_both(known, paid, _FEE))
    pairs = left.join(paid, on=KEY, how="inner", suffix=_OF).filter(
        pl.col("currency") == pl.col(f"currency{_OF}")
    )
    off = pl.col("fee_minor") - pl.col(f"fee_minor{_OF}")
    tax = pl.col("tax_minor") - pl.col(f"tax_minor{_OF}")
    return findings(
        pairs,
        K.FEE_OR_TAX,
        Leg.SETTLEMENT,
        amount=pl.when(off != 0).then(off.abs()).otherwise(tax.abs()),
        psp=said(_PSP),
        line=_line_of_pair(),
    )


def _twice(rows: pl.DataFrame) -> pl.DataFrame:
    if rows.is_empty():
        return empty(FINDINGS)
    grouped = rows.group_by(KEY, maintain_order=True).agg(
        pl.col("currency").first(),
        pl.col("amount_minor").slice(1).sum(),
        pl.struct(_LINE).alias("rows"),
    )
    return findings(grouped, K.DUPLICATE, Leg.SETTLEMENT, line=said(("rows",)))


def explained_by_hand(found: pl.DataFrame, lines: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Findings without those that payouts by hand explain: captures whose line is in the balance,
    free since `until` or before (`payouts.Custom`)."""
    free = lines.filter(
        (pl.col("kind") == LineKind.PAYMENT)
        & pl.col("payout_id").is_null()
        & ~pl.col("on_hold")
        & (pl.col("available_on") <= until).fill_null(value=True)
    ).select(
        "connection_id",
        payment_id=pl.coalesce("source_id", "payment_id"),
        kind=pl.lit(K.UNSETTLED.value),
    )
    return found.join(free, on=[*KEY, "kind"], how="anti", maintain_order="left")


def match_payouts(payouts: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Payouts whose lines are all listed and do not add up to them, within their currency."""
    listed = payouts.filter(pl.col("itemised") & pl.col("final"))
    if listed.is_empty():
        return empty(FINDINGS)
    key = ["connection_id", "payout_id", "currency"]
    sums = lines.group_by(key).agg(
        lines_minor=pl.col("net_minor").sum(), lines=pl.len().cast(pl.Int64)
    )
    both = listed.join(sums, on=key, how="left").with_columns(
        pl.col("lines_minor", "lines").fill_null(0)
    )
    off = pl.col("amount_minor") - pl.col("lines_minor")
    return findings(
        both.filter(off != 0),
        K.PAYOUT_TOTAL,
        Leg.PAYOUT,
        subject="payout_id",
        payment=pl.lit(None, pl.String),
        amount=off.abs(),
        psp=said(("status", "amount_minor", "currency")),
        line=said(("lines", "lines_minor")),
    )
