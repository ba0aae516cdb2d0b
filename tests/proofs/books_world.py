"""Three books that agree, in which faults are then planted; and what must be found, by name.

Every payment carries at most one fault. Among the sound ones are those that look like faults: not
due yet, settled in another currency at a stated rate, refunded and returned, never captured.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tinko_pipelines.core.reconciliation import frames
from tinko_pipelines.core.reconciliation.frames import Books
from tinko_pipelines.core.reconciliation.vocabulary import FindingKind as K
from tinko_pipelines.core.reconciliation.vocabulary import Leg

NOW = datetime(2026, 9, 16, tzinfo=UTC)
OVERDUE = NOW - timedelta(days=4)
PER_PAYOUT = 500
CONNECTIONS = 8
SIDE = ("connection_id", "payment_id", "status", "amount_minor", "refunded_minor", "currency")

# of payments that were captured, and of any
OF_CAPTURED = (
    (K.AMOUNT, Leg.SETTLEMENT),
    (K.CURRENCY, Leg.SETTLEMENT),
    (K.DUPLICATE, Leg.SETTLEMENT),
    (K.FEE_OR_TAX, Leg.SETTLEMENT),
    (K.SETTLED_WITHOUT_CAPTURE, Leg.SETTLEMENT),
    (K.UNSETTLED, Leg.SETTLEMENT),
    (K.REFUND_NOT_REFLECTED, Leg.SETTLEMENT),
    (K.DISPUTE_NOT_REFLECTED, Leg.LEDGER),
    (K.DISPUTE_NOT_REFLECTED, Leg.SETTLEMENT),
    (K.REFUND_NOT_REFLECTED, Leg.LEDGER),
)
OF_ANY = (
    (K.MISSING_HERE, Leg.LEDGER),
    (K.MISSING_THERE, Leg.LEDGER),
    (K.AMOUNT, Leg.LEDGER),
    (K.CURRENCY, Leg.LEDGER),
    (K.STATUS, Leg.LEDGER),
    (K.DUPLICATE, Leg.LEDGER),
)
FAULTS = (*OF_CAPTURED, *OF_ANY)


@dataclass(frozen=True)
class World:
    """`expected` has the kind, leg, connection_id and subject_id of each planted fault."""

    books: Books
    expected: pl.DataFrame


def plant(rows: int, rate: float, seed: int) -> World:
    """So many payments, of which the share `rate` (and as much of the payouts) is at fault."""
    draw = np.random.default_rng(seed)
    drawn = _drawn(rows, draw)
    captured = (drawn["status"] == "succeeded").to_numpy()
    fault = np.full(rows, -1, dtype=np.int64)
    chosen = draw.random(rows) < rate
    fault[chosen] = draw.integers(0, len(FAULTS), int(chosen.sum()))
    # a fault that only a capture can have falls on one
    fault[(fault >= 0) & (fault < len(OF_CAPTURED)) & ~captured] = len(OF_CAPTURED)
    base = _payments(drawn.with_columns(fault=pl.Series(fault)))
    books, payout_faults = _books(base, rate, draw)
    return World(books, _expected(base, payout_faults))


def is_fault(kind: K, leg: Leg) -> pl.Expr:
    return pl.col("fault") == FAULTS.index((kind, leg))


def _drawn(rows: int, draw: np.random.Generator) -> pl.DataFrame:
    def pick(words: list[str], shares: list[float]) -> pl.Series:
        return pl.Series(words).gather(draw.choice(len(words), rows, p=shares))

    amount = draw.integers(100, 5_000_000, rows)
    return pl.DataFrame(
        {
            "place": np.arange(rows),
            "connection_id": pl.Series(
                [f"0199{one:04x}-0000-7000-8000-000000000000" for one in range(CONNECTIONS)]
            ).gather(draw.integers(0, CONNECTIONS, rows)),
            "mark": draw.integers(0, 2**62, rows),
            "status": pick(["succeeded", "failed", "open"], [0.7, 0.25, 0.05]),
            "amount_minor": amount,
            "currency": pick(["INR", "USD", "EUR", "JPY"], [0.5, 0.3, 0.15, 0.05]),
            "kind_of": pick(["plain", "refunded", "returned", "abroad", "early", "silent"],
                            [0.8, 0.05, 0.02, 0.05, 0.05, 0.03]),
        }
    )  # fmt: skip


def _payments(drawn: pl.DataFrame) -> pl.DataFrame:
    captured = pl.col("status") == "succeeded"
    plain = drawn.with_columns(
        kind_of=pl.when(pl.col("fault") >= 0).then(pl.lit("plain")).otherwise("kind_of")
    )
    return plain.with_columns(
        # the place makes it unique, whatever is drawn
        payment_id=pl.format("pay_{}{}", pl.col("mark"), pl.col("place")),
        refunded_minor=pl.when(captured & (pl.col("kind_of") == "refunded"))
        .then(pl.col("amount_minor") // 2)
        .otherwise(0),
        fee_minor=pl.when(captured & (pl.col("kind_of") != "silent"))
        .then(pl.col("amount_minor") // 40)
        .otherwise(None),
        captured_at=pl.when(captured).then(
            pl.when(pl.col("kind_of") == "early").then(NOW).otherwise(NOW - timedelta(days=8))
        ),
    ).with_columns(tax_minor=pl.col("fee_minor") // 6)


def _books(
    base: pl.DataFrame, rate: float, draw: np.random.Generator
) -> tuple[Books, pl.DataFrame]:
    def at(kind: K, leg: Leg = Leg.LEDGER) -> pl.Expr:
        return is_fault(kind, leg)

    without = at(K.MISSING_THERE) | at(K.SETTLED_WITHOUT_CAPTURE, Leg.SETTLEMENT)
    transactions = base.filter(~without)
    ours = base.filter(
        ~(at(K.MISSING_HERE) | at(K.SETTLED_WITHOUT_CAPTURE, Leg.SETTLEMENT))
    ).with_columns(
        amount_minor=pl.col("amount_minor") + at(K.AMOUNT).cast(pl.Int64),
        refunded_minor=pl.col("refunded_minor")
        + at(K.REFUND_NOT_REFLECTED).cast(pl.Int64),
        currency=pl.when(at(K.CURRENCY)).then(pl.lit("GBP")).otherwise("currency"),
        status=pl.when(at(K.STATUS))
        .then(pl.when(pl.col("status") == "failed").then(pl.lit("succeeded"))
              .otherwise(pl.lit("failed")))
        .otherwise("status"),
        obligation_id=pl.format("debt_{}", "place"),
        attempt_id=pl.format("try_{}", "place"),
    )  # fmt: skip
    ours = pl.concat([ours, ours.filter(at(K.DUPLICATE))])
    lines = _lines(base)
    payouts, payout_faults = _payouts(lines, rate, draw)
    refunds, disputes, known = _aftermath(base)
    books = Books(
        transactions=_shaped(transactions, frames.TRANSACTIONS).sample(fraction=1, shuffle=True,
                                                                       seed=1),
        ledger=_shaped(ours, frames.LEDGER),
        lines=_shaped(lines, frames.LINES),
        refunds=refunds,
        disputes=disputes,
        known_disputes=known,
        payouts=payouts,
        payout_lines=_shaped(lines, frames.LINES),
    )  # fmt: skip
    return books, payout_faults


def _lines(base: pl.DataFrame) -> pl.DataFrame:
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
    back = made.filter(pl.col("kind_of").is_in(["refunded", "returned"])).with_columns(
        line_id=pl.format("txn_r_{}", "place"), kind=pl.lit("refund"),
        source_id=pl.format("re_{}", "place"),
        gross_minor=-(pl.col("amount_minor") // 2), fee_minor=pl.lit(0, pl.Int64),
        net_minor=-(pl.col("amount_minor") // 2),
    )  # fmt: skip
    failed = back.filter(pl.col("kind_of") == "returned").with_columns(
        line_id=pl.format("txn_f_{}", "place"), kind=pl.lit("refund_failure"),
        gross_minor=-pl.col("gross_minor"), net_minor=-pl.col("net_minor"),
    )  # fmt: skip
    return pl.concat([made, again, back, failed])


def _payouts(
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
    return _shaped(made, frames.PAYOUTS), made.filter(off)


def _aftermath(base: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    old = pl.lit(NOW - timedelta(days=7)).cast(frames.INSTANT)
    captured = base.filter(pl.col("status") == "succeeded")
    refunds = captured.filter(
        pl.col("kind_of").is_in(["refunded", "returned"])
        | is_fault(K.REFUND_NOT_REFLECTED, Leg.SETTLEMENT)
    ).with_columns(
        object_id=pl.format("re_{}", "place"), since=old,
        amount_minor=pl.col("amount_minor") // 2,
        status=pl.when(pl.col("kind_of") == "returned").then(pl.lit("failed"))
        .otherwise(pl.lit("succeeded")),
    )  # fmt: skip
    unknown = is_fault(K.DISPUTE_NOT_REFLECTED, Leg.LEDGER)
    unsettled = is_fault(K.DISPUTE_NOT_REFLECTED, Leg.SETTLEMENT)
    disputes = captured.filter(unknown | unsettled).with_columns(
        object_id=pl.format("du_{}", "place"), since=old,
        status=pl.when(unsettled).then(pl.lit("lost")).otherwise(pl.lit("open")),
    )  # fmt: skip
    return (
        _shaped(refunds, frames.AFTERMATH),
        _shaped(disputes, frames.AFTERMATH),
        _shaped(disputes.filter(unsettled), frames.KNOWN_DISPUTES),
    )


def _expected(base: pl.DataFrame, payout_faults: pl.DataFrame) -> pl.DataFrame:
    kinds = pl.DataFrame(
        {
            "fault": range(len(FAULTS)),
            "kind": [kind.value for kind, _ in FAULTS],
            "leg": [leg.value for _, leg in FAULTS],
        },
        schema_overrides={"fault": pl.Int64},
    )
    subject = (
        pl.when(is_fault(K.REFUND_NOT_REFLECTED, Leg.SETTLEMENT))
        .then(pl.format("re_{}", "place"))
        .when(pl.col("kind") == K.DISPUTE_NOT_REFLECTED.value)
        .then(pl.format("du_{}", "place"))
        .otherwise("payment_id")
    )
    payments = base.join(kinds, on="fault", how="inner").select(
        "kind", "leg", "connection_id", subject_id=subject
    )
    totals = payout_faults.select(
        kind=pl.lit(K.PAYOUT_TOTAL.value), leg=pl.lit(Leg.PAYOUT.value),
        connection_id="connection_id", subject_id="payout_id",
    )  # fmt: skip
    return pl.concat([payments, totals])


def _shaped(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return frame.select(list(schema)).cast(dict(schema))
