"""The three-way match: the PSP's transactions, the ledger's attempts, the settlement lines. Pure.

Money is compared within one currency alone. A payment that both sides have alike costs next to
nothing (`fingerprints`); what is left is joined and looked at aspect by aspect, so that two faults
of one payment are two findings and a fault is one.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from tinko_pipelines.core.reconciliation.evidence import findings, said
from tinko_pipelines.core.reconciliation.fingerprints import mark_both, repeated, unlike
from tinko_pipelines.core.reconciliation.frames import FINDINGS, KEY, Books, Standing
from tinko_pipelines.core.reconciliation.settled import match_lines, match_payouts
from tinko_pipelines.core.reconciliation.vocabulary import FindingKind, Leg

COMPARED = ("status", "amount_minor", "refunded_minor", "currency")
_LEDGER = (*COMPARED, "obligation_id", "attempt_id")
_THEIRS = "_psp"


def match(books: Books, overdue_before: datetime) -> pl.DataFrame:
    """Every finding of `books`, as a `FINDINGS` frame, ordered by kind and subject.

    What was captured before `overdue_before` should be settled by now (`terms.overdue_before`).
    """
    found = [
        match_ledger(books.transactions, books.ledger),
        match_disputes(books.disputes, books.known_disputes),
        match_lines(books, overdue_before),
        match_payouts(books.payouts, books.payout_lines),
    ]
    return pl.concat(found).sort("kind", "connection_id", "subject_id")


def match_ledger(transactions: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """The PSP's payments against ours: missing, twice, over another sum, ended otherwise."""
    sides = mark_both(transactions, ledger, KEY, COMPARED)
    twice = [(repeated(sides[0]), False), (repeated(sides[1]), True)]
    theirs, ours = unlike(*sides)
    for rows, _ in twice:
        if not rows.is_empty():
            theirs = theirs.join(rows.select(KEY), on=KEY, how="anti")
            ours = ours.join(rows.select(KEY), on=KEY, how="anti")
    both = ours.join(theirs, on=KEY, how="inner", suffix=_THEIRS)
    here = ours.join(theirs, on=KEY, how="anti")
    # what we planned and never sent no PSP can have
    here = here.filter(pl.col("status") != Standing.NOT_MADE)
    there = theirs.join(ours, on=KEY, how="anti")
    return pl.concat(
        [
            *(_duplicates(rows, of_ledger) for rows, of_ledger in twice),
            findings(there, FindingKind.MISSING_HERE, Leg.LEDGER, psp=said(COMPARED)),
            findings(here, FindingKind.MISSING_THERE, Leg.LEDGER, ledger=said(_LEDGER)),
            *_differences(both),
        ]
    )


def _differences(both: pl.DataFrame) -> list[pl.DataFrame]:
    """Payments that both have, and not alike. Of two currencies nothing is subtracted."""
    same_money = pl.col("currency") == pl.col(f"currency{_THEIRS}")

    def off(name: str) -> pl.Expr:
        return pl.col(name) != pl.col(f"{name}{_THEIRS}")

    def by(name: str) -> pl.Expr:
        return (pl.col(name) - pl.col(f"{name}{_THEIRS}")).abs()

    aspects = (
        (FindingKind.CURRENCY, ~same_money, pl.col("amount_minor")),
        (FindingKind.AMOUNT, same_money & off("amount_minor"), by("amount_minor")),
        (FindingKind.STATUS, off("status"), pl.col("amount_minor")),
        (
            FindingKind.REFUND_NOT_REFLECTED,
            same_money & off("refunded_minor"),
            by("refunded_minor"),
        ),
    )
    return [
        findings(
            both.filter(differs),
            kind,
            Leg.LEDGER,
            amount=amount,
            ledger=said(_LEDGER),
            psp=said(COMPARED, _THEIRS),
        )
        for kind, differs, amount in aspects
    ]


def _duplicates(rows: pl.DataFrame, of_ledger: bool) -> pl.DataFrame:
    """One finding per payment, over what it is counted too much."""
    grouped = rows.group_by(KEY, maintain_order=True).agg(
        pl.col("currency").first(),
        pl.col("amount_minor").slice(1).sum(),
        pl.struct(_LEDGER if of_ledger else COMPARED).alias("rows"),
    )
    rows_of = said(("rows",))
    if of_ledger:
        return findings(grouped, FindingKind.DUPLICATE, Leg.LEDGER, ledger=rows_of)
    return findings(grouped, FindingKind.DUPLICATE, Leg.LEDGER, psp=rows_of)


def match_disputes(disputes: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The PSP's disputes against those that the ledger has: missing here, or ended otherwise."""
    if disputes.is_empty():
        return pl.DataFrame(schema=FINDINGS)
    columns = ("status", "amount_minor", "currency")
    both = disputes.join(known, on=["connection_id", "object_id"], how="left", suffix="_ours")
    unlike_ours = both.filter(pl.col("status").ne_missing(pl.col("status_ours")))
    return findings(
        unlike_ours,
        FindingKind.DISPUTE_NOT_REFLECTED,
        Leg.LEDGER,
        subject="object_id",
        ledger=said(columns, "_ours", present="status_ours"),
        psp=said(columns),
    )
