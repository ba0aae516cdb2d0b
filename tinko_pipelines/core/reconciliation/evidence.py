"""Rows of findings out of joined rows: what is at stake, and what each side says. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tinko_pipelines.core.reconciliation.frames import FINDINGS, empty
from tinko_pipelines.core.reconciliation.vocabulary import FindingKind, Leg

# a side that is missing has null in all its columns: it says nothing
_NOTHING = pl.lit(None, dtype=pl.String)


def said(columns: Sequence[str], suffix: str = "", present: str | None = None) -> pl.Expr:
    """What a side says, as JSON: its `columns`, which stand in the frame with `suffix`; null where
    its column `present` is null."""
    told = pl.struct(pl.col(f"{name}{suffix}").alias(name) for name in columns).struct.json_encode()
    if present is None:
        return told
    return pl.when(pl.col(present).is_not_null()).then(told).otherwise(_NOTHING)


def findings(
    frame: pl.DataFrame,
    kind: FindingKind,
    leg: Leg,
    *,
    subject: str = "payment_id",
    payment: pl.Expr | None = None,
    currency: str = "currency",
    amount: pl.Expr | None = None,
    ledger: pl.Expr = _NOTHING,
    psp: pl.Expr = _NOTHING,
    line: pl.Expr = _NOTHING,
) -> pl.DataFrame:
    """One finding per row of `frame`, over `amount` (default: its `amount_minor`)."""
    if frame.is_empty():
        return empty(FINDINGS)
    return frame.select(
        kind=pl.lit(kind.value),
        leg=pl.lit(leg.value),
        connection_id=pl.col("connection_id"),
        subject_id=pl.col(subject),
        payment_id=pl.col("payment_id") if payment is None else payment,
        currency=pl.col(currency),
        amount_minor=(pl.col("amount_minor") if amount is None else amount).cast(pl.Int64),
        ledger=ledger,
        psp=psp,
        line=line,
    ).cast(FINDINGS)
