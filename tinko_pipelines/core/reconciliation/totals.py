"""The day's money per currency. Currencies are never added together. Pure.

What the ledger collected is either matched or in a finding, and so is what the PSP says: the sums
of the three are made apart (the ledger's by the database, the matched from the PSP's own rows, the
findings' from the rows they are about), so that a row that slipped through would show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from tinko_pipelines.core.psp.settlement import LineKind
from tinko_pipelines.core.reconciliation.frames import KEY, Books, Standing
from tinko_pipelines.core.reconciliation.settled import is_settled
from tinko_pipelines.core.reconciliation.vocabulary import Leg


@dataclass(frozen=True, slots=True)
class Totals:
    """One currency of one day, in minor units; counts are of payments, findings of all legs."""

    currency: str
    ledger_minor: int
    psp_minor: int
    matched_minor: int
    findings_minor: int
    psp_findings_minor: int
    settled_minor: int
    fee_minor: int
    tax_minor: int
    ledger_count: int
    psp_count: int
    findings_count: int

    @property
    def adds_up(self) -> bool:
        """ledger = matched + findings, and the PSP's side likewise."""
        return (
            self.ledger_minor == self.matched_minor + self.findings_minor
            and self.psp_minor == self.matched_minor + self.psp_findings_minor
        )


def totals(books: Books, found: pl.DataFrame, ledger: Mapping[str, int]) -> list[Totals]:
    """The totals of every currency that a book names, by currency. `ledger` is what the database
    says the ledger collected."""
    named = found.filter(pl.col("leg") == Leg.LEDGER.value).select(KEY).drop_nulls().unique()
    won = pl.col("status") == Standing.SUCCEEDED
    ours, theirs = books.ledger.filter(won), books.transactions.filter(won)
    lines = books.lines.filter((pl.col("kind") == LineKind.PAYMENT) & is_settled())
    sums = {
        "psp_minor": _sum(theirs, "amount_minor"),
        "matched_minor": _sum(theirs.join(named, on=KEY, how="anti"), "amount_minor"),
        "findings_minor": _sum(ours.join(named, on=KEY, how="semi"), "amount_minor"),
        "psp_findings_minor": _sum(theirs.join(named, on=KEY, how="semi"), "amount_minor"),
        "settled_minor": _sum(lines, "gross_minor"),
        "fee_minor": _sum(lines, "fee_minor"),
        "tax_minor": _sum(lines, "tax_minor"),
        "ledger_count": _count(books.ledger),
        "psp_count": _count(books.transactions),
        "findings_count": _count(found),
    }
    currencies = sorted({*ledger, *(one for by in sums.values() for one in by)})
    return [
        Totals(
            currency=one,
            ledger_minor=ledger.get(one, 0),
            **{name: by.get(one, 0) for name, by in sums.items()},
        )
        for one in currencies
    ]


def _sum(frame: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(frame.group_by("currency").agg(pl.col(column).sum()).iter_rows())


def _count(frame: pl.DataFrame) -> dict[str, int]:
    return dict(frame.drop_nulls("currency").group_by("currency").len().iter_rows())
