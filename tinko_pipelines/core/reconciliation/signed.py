"""Signed lines add up, per refund, dispute and payment. Pure.

A refund that went out has taken its amount out of the balance, and one that failed nothing: its
line and that of its failure cancel out. So for a dispute that is lost, and one that is won. What a
PSP books as an adjustment of the payment, under an id of its own, may make up for either.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from tinko_pipelines.core.psp.operations import RefundStatus
from tinko_pipelines.core.psp.settlement import LineKind
from tinko_pipelines.core.psp.types import DisputeStatus
from tinko_pipelines.core.reconciliation.evidence import findings, said
from tinko_pipelines.core.reconciliation.frames import KEY, Books
from tinko_pipelines.core.reconciliation.vocabulary import FindingKind, Leg

# what is left of the amount in the balance, once it is over: nothing of it, or all
TAKEN, LEFT = -1, 0
REFUNDS: Mapping[str, int] = {RefundStatus.SUCCEEDED: TAKEN, RefundStatus.FAILED: LEFT}
DISPUTES: Mapping[str, int] = {DisputeStatus.LOST: TAKEN, DisputeStatus.WON: LEFT}
_SOURCE = ["connection_id", "object_id"]


def match_signed(books: Books, captured: pl.DataFrame, overdue_before: datetime) -> pl.DataFrame:
    """Refunds and disputes that are over, and whose lines come to another sum when they should be
    there. What was given back of a payment that was never captured did not come out of the balance.
    """
    lapsed = captured.filter(pl.col("captured_at").is_null())
    refunds = books.refunds.join(lapsed, on=KEY, how="anti")
    kinds = FindingKind.REFUND_NOT_REFLECTED, FindingKind.DISPUTE_NOT_REFLECTED
    return pl.concat(
        [
            _off(refunds, REFUNDS, books.lines, overdue_before, kinds[0]),
            _off(books.disputes, DISPUTES, books.lines, overdue_before, kinds[1]),
        ]
    )


def adjusted(paid: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Payment lines whose `amount_minor` is less, or more, by the adjustments of their payment."""
    changes = (
        lines.filter(pl.col("kind") == LineKind.ADJUSTMENT)
        .group_by("connection_id", pl.col("source_id").alias("payment_id"), "currency")
        .agg(adjusted_minor=pl.col("gross_minor").sum())
    )
    if changes.is_empty():
        return paid
    by = ["connection_id", "payment_id", "currency"]
    return (
        paid.join(changes, on=by, how="left", maintain_order="left")
        .with_columns(amount_minor=pl.col("amount_minor") + pl.col("adjusted_minor").fill_null(0))
        .drop("adjusted_minor")
    )


def _off(
    rows: pl.DataFrame,
    leaves: Mapping[str, int],
    lines: pl.DataFrame,
    overdue_before: datetime,
    kind: FindingKind,
) -> pl.DataFrame:
    over = rows.filter(
        pl.col("status").is_in(list(leaves)) & (pl.col("since") < overdue_before)
    ).with_columns(
        wanted=pl.col("amount_minor") * pl.col("status").replace_strict(leaves, default=LEFT)
    )
    own = (
        lines.filter(pl.col("source_id").is_not_null())
        .group_by("connection_id", pl.col("source_id").alias("object_id"))
        .agg(
            pl.len().alias("lines"),
            pl.col("gross_minor").sum(),
            pl.col("currency").unique().alias("currencies"),
        )
    )
    apart = (
        lines.filter((pl.col("kind") == LineKind.ADJUSTMENT) & pl.col("payment_id").is_not_null())
        .filter(pl.col("source_id").ne_missing(pl.col("payment_id")))
        .group_by(*KEY, "currency")
        .agg(adjusted_minor=pl.col("gross_minor").sum())
    )
    both = (
        over.join(own, on=_SOURCE, how="left")
        .join(apart, on=[*KEY, "currency"], how="left")
        .with_columns(pl.col("gross_minor", "adjusted_minor").fill_null(0))
    )
    off = pl.col("gross_minor") - pl.col("wanted")
    # in another currency than the payer's there is nothing to subtract, only to be there
    alike = pl.col("currencies").is_null() | (pl.col("currencies") == pl.concat_list("currency"))
    wrong = both.filter(alike & (off != 0) & (off + pl.col("adjusted_minor") != 0))
    return findings(
        wrong,
        kind,
        Leg.SETTLEMENT,
        subject="object_id",
        amount=off.abs(),
        psp=said(("status", "amount_minor", "currency", "since")),
        line=said(("lines", "gross_minor"), present="lines"),
    )
