"""Three books that agree, in which faults are then planted; and what must be found, by name.

Every payment carries at most one fault. Among the sound ones are those that look like faults: not
due yet, settled in another currency at a stated rate, refunded and returned, disputed and won back,
lost and booked under an id of its own, never captured.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tests.proofs.books_faults import (
    FAULTS,
    OF_CAPTURED,
    cancelled,
    is_fault,
    never_back,
    other_sum,
)
from tests.proofs.books_settled import lines_of, payouts_of, shaped
from tinko_pipelines.core.reconciliation import frames
from tinko_pipelines.core.reconciliation.frames import Books
from tinko_pipelines.core.reconciliation.vocabulary import FindingKind as K
from tinko_pipelines.core.reconciliation.vocabulary import Leg

NOW = datetime(2026, 9, 16, tzinfo=UTC)
OVERDUE = NOW - timedelta(days=4)
CONNECTIONS = 8
SIDE = ("connection_id", "payment_id", "status", "amount_minor", "refunded_minor", "currency")


@dataclass(frozen=True)
class World:
    """`expected` has the kind, leg, how, connection_id and subject_id of each planted fault."""

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
            "kind_of": pick(["plain", "refunded", "returned", "abroad", "early", "silent", "lost",
                             "won", "apart"],
                            [0.785, 0.05, 0.02, 0.05, 0.05, 0.03, 0.005, 0.005, 0.005]),
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
    lines = lines_of(base)
    payouts, payout_faults = payouts_of(lines, rate, draw)
    refunds, disputes, known = _aftermath(base)
    books = Books(
        transactions=shaped(transactions, frames.TRANSACTIONS).sample(fraction=1, shuffle=True,
                                                                       seed=1),
        ledger=shaped(ours, frames.LEDGER),
        lines=shaped(lines, frames.LINES),
        refunds=refunds,
        disputes=disputes,
        known_disputes=known,
        payouts=payouts,
        payout_lines=shaped(lines, frames.LINES),
    )  # fmt: skip
    return books, payout_faults


def _aftermath(base: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    old = pl.lit(NOW - timedelta(days=7)).cast(frames.INSTANT)
    captured = base.filter(pl.col("status") == "succeeded")
    kind_of = pl.col("kind_of")
    refunds = captured.filter(
        kind_of.is_in(["refunded", "returned"])
        | is_fault(K.REFUND_NOT_REFLECTED, Leg.SETTLEMENT)
        | other_sum
        | never_back
    ).with_columns(
        object_id=pl.format("re_{}", "place"), since=old,
        amount_minor=pl.col("amount_minor") // 2,
        status=pl.when((kind_of == "returned") | never_back).then(pl.lit("failed"))
        .otherwise(pl.lit("succeeded")),
    )  # fmt: skip
    unknown = is_fault(K.DISPUTE_NOT_REFLECTED, Leg.LEDGER)
    unsettled = is_fault(K.DISPUTE_NOT_REFLECTED, Leg.SETTLEMENT)
    lost = unsettled | cancelled | kind_of.is_in(["lost", "apart"])
    won = kind_of == "won"
    disputes = captured.filter(unknown | lost | won).with_columns(
        object_id=pl.format("du_{}", "place"), since=old,
        status=pl.when(lost).then(pl.lit("lost")).when(won).then(pl.lit("won"))
        .otherwise(pl.lit("open")),
    )  # fmt: skip
    return (
        shaped(refunds, frames.AFTERMATH),
        shaped(disputes, frames.AFTERMATH),
        shaped(disputes.filter(~unknown), frames.KNOWN_DISPUTES),
    )


def _expected(base: pl.DataFrame, payout_faults: pl.DataFrame) -> pl.DataFrame:
    kinds = pl.DataFrame(
        {
            "fault": range(len(FAULTS)),
            "kind": [one.kind.value for one in FAULTS],
            "leg": [one.leg.value for one in FAULTS],
            "how": [one.how for one in FAULTS],
        },
        schema_overrides={"fault": pl.Int64},
    )
    subject = (
        pl.when(
            (pl.col("kind") == K.REFUND_NOT_REFLECTED.value) & (pl.col("leg") == Leg.SETTLEMENT)
        )
        .then(pl.format("re_{}", "place"))
        .when(pl.col("kind") == K.DISPUTE_NOT_REFLECTED.value)
        .then(pl.format("du_{}", "place"))
        .otherwise("payment_id")
    )
    payments = base.join(kinds, on="fault", how="inner").select(
        "kind", "leg", "how", "connection_id", subject_id=subject
    )
    totals = payout_faults.select(
        kind=pl.lit(K.PAYOUT_TOTAL.value), leg=pl.lit(Leg.PAYOUT.value), how=pl.lit(""),
        connection_id="connection_id", subject_id="payout_id",
    )  # fmt: skip
    return pl.concat([payments, totals])
