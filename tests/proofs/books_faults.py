"""The faults that are planted in the three books, by the kind as which each must be found."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from tinko_pipelines.core.reconciliation.vocabulary import FindingKind as K
from tinko_pipelines.core.reconciliation.vocabulary import Leg


class Fault(NamedTuple):
    """`how`: which of the faults that are found as this kind; "" is the plain one, of what is not
    there, or is not alike."""

    kind: K
    leg: Leg
    how: str = ""


# signed lines that are all there, and come to another sum than what they are of
OTHER_SUM, CANCELLED, NEVER_BACK = "another amount", "debit and reversal cancel", "no money back"
SIGNED = (
    Fault(K.REFUND_NOT_REFLECTED, Leg.SETTLEMENT, OTHER_SUM),
    Fault(K.DISPUTE_NOT_REFLECTED, Leg.SETTLEMENT, CANCELLED),
    Fault(K.REFUND_NOT_REFLECTED, Leg.SETTLEMENT, NEVER_BACK),
)
# of payments that were captured, and of any
OF_CAPTURED = (
    Fault(K.AMOUNT, Leg.SETTLEMENT),
    Fault(K.CURRENCY, Leg.SETTLEMENT),
    Fault(K.DUPLICATE, Leg.SETTLEMENT),
    Fault(K.FEE_OR_TAX, Leg.SETTLEMENT),
    Fault(K.SETTLED_WITHOUT_CAPTURE, Leg.SETTLEMENT),
    Fault(K.UNSETTLED, Leg.SETTLEMENT),
    Fault(K.REFUND_NOT_REFLECTED, Leg.SETTLEMENT),
    Fault(K.DISPUTE_NOT_REFLECTED, Leg.LEDGER),
    Fault(K.DISPUTE_NOT_REFLECTED, Leg.SETTLEMENT),
    Fault(K.REFUND_NOT_REFLECTED, Leg.LEDGER),
    *SIGNED,
)
OF_ANY = (
    Fault(K.MISSING_HERE, Leg.LEDGER),
    Fault(K.MISSING_THERE, Leg.LEDGER),
    Fault(K.AMOUNT, Leg.LEDGER),
    Fault(K.CURRENCY, Leg.LEDGER),
    Fault(K.STATUS, Leg.LEDGER),
    Fault(K.DUPLICATE, Leg.LEDGER),
)
FAULTS = (*OF_CAPTURED, *OF_ANY)


def is_fault(kind: K, leg: Leg, how: str = "") -> pl.Expr:
    return pl.col("fault") == FAULTS.index(Fault(kind, leg, how))


other_sum, cancelled, never_back = (is_fault(*one) for one in SIGNED)
