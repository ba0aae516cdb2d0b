"""What is settled of payments, faults and all: their lines, and the payouts that carry them."""

from __future__ import annotations

import numpy as np
import polars as pl

from tests.proofs.books_faults import cancelled, is_fault, never_back, other_sum
from tinko_pipelines.core.reconciliation import frames
from tinko_pipelines.core.reconciliation.vocabulary import FindingKind as K
from tinko_pipelines.core.reconciliation.vocabulary import Leg

PER_PAYOUT = 500


def lines_of(base: pl.DataFrame) -> pl.DataFrame:
    """The line of each capture that is due, and those of its refunds."""
    missing = is_fault(K.UNSETTLED, Leg.SETTLEMENT) | is_fault(K.MISSING_THERE, Leg.LEDGER)
    paid = base.filter(
        (pl.col("status") == "succeeded") & (pl.col("kind_of") != "early") & ~missing
    )
    abroad = pl.col("kind_of") == "abroad"
    made = paid.with_columns(
        line_id=pl.format("txn_{}", "place"),
        kind=pl.lit("payment"),
        source_id="payment_id",
        payout_id=pl.format("po_{}_{}", "connection_id", pl.col("place") // PER_PAYOUT),
        payout_status=pl.lit("paid"),
        gross_minor=pl.col("amount_minor") + is_fault(K.AMOUNT, Leg.SETTLEMENT).cast(pl.Int64) * 7,
        fee_minor=pl.col("fee_minor").fill_null(0),
        tax_minor=pl.col("tax_minor").fill_null(0)
        + is_fault(K.FEE_OR_TAX, Leg.SETTLEMENT).cast(pl.Int64),
        currency=pl.when(abroad | is_fault(K.CURRENCY, Leg.SETTLEMENT))
        .then(pl.lit("CHF"))
        .otherwise("currency"),
        exchange_rate=pl.when(abroad).then(pl.lit("0.8735")),
        on_hold=pl.lit(value=False),
        available_on=pl.lit(None),
    ).with_columns(net_minor=pl.col("gross_minor") - pl.col("fee_minor"))
    again = made.filter(is_fault(K.DUPLICATE, Leg.SETTLEMENT)).with_columns(
        line_id=pl.format("{}_again", "line_id")
    )
    return pl.concat([made, again, *_signed(made)])


def _signed(made: pl.DataFrame) -> list[pl.DataFrame]:
    """The lines of refunds and disputes, and of what came back of them."""
    half, whole = pl.col("amount_minor") // 2, pl.col("amount_minor")
    kind_of = pl.col("kind_of")
    lost, won = kind_of == "lost", kind_of == "won"
    refund, dispute = pl.format("re_{}", "place"), pl.format("du_{}", "place")
    # at least one minor unit of another sum, whatever the half is
    refunded = half + other_sum.cast(pl.Int64)
    back = kind_of.is_in(["refunded", "returned"]) | other_sum | never_back
    # which payments, the line's name and kind, what it is of, what it moves
    rows = (
        (back, "r", "refund", refund, -refunded),
        (kind_of == "returned", "f", "refund_failure", refund, half),
        (lost | won | cancelled, "d", "dispute", dispute, -whole),
        (won | cancelled, "v", "dispute_reversal", dispute, whole),
        (kind_of == "apart", "a", "adjustment", pl.format("adj_{}", "place"), -whole),
    )
    return [
        made.filter(which).with_columns(
            line_id=pl.format(f"txn_{name}_{{}}", "place"), kind=pl.lit(kind), source_id=source,
            gross_minor=moved, net_minor=moved, fee_minor=pl.lit(0, pl.Int64),
            tax_minor=pl.lit(0, pl.Int64),
        )
        for which, name, kind, source, moved in rows
    ]  # fmt: skip


def payouts_of(
    lines: pl.DataFrame, rate: float, draw: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One payout per bundle of lines and currency; those at fault are a little too large."""
    sums = lines.group_by("connection_id", "payout_id", "currency", maintain_order=True).agg(
        amount_minor=pl.col("net_minor").sum()
    )
    # a payout has one currency: the rest of its lines are no part of this proof
    sums = sums.unique(["connection_id", "payout_id"], keep="first", maintain_order=True)
    off = pl.Series(draw.random(sums.height) < rate)
    made = sums.with_columns(
        status=pl.lit("paid"), itemised=pl.lit(value=True), final=pl.lit(value=True),
        amount_minor=pl.col("amount_minor") + off.cast(pl.Int64),
    )  # fmt: skip
    return shaped(made, frames.PAYOUTS), made.filter(off)


def shaped(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return frame.select(list(schema)).cast(dict(schema))
