"""One failure, one answer: pure, total, and explained by the rows that gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from tinko_pipelines.core.failures.codetable import (
    DEFAULT_ROW,
    CodeRow,
    CodeTable,
    MatchKind,
    decides,
    default_table,
    explains,
)
from tinko_pipelines.core.failures.taxonomy import ADVICE, Category, RetryAdvice, WhoActs

# ASCII only: what Polars and Python trim must be the same
BLANKS = " \t\n\r\v\f"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What a PSP said about a failed attempt, in its own words.

    Stripe: `code`, `decline_code`, `advice_code`, the network codes and `network` as on the
    charge's outcome and error, `reason` is `outcome.reason`. Razorpay: `code` is `error_code`,
    `reason`, `source`, `step`, `description` are `error_*`.
    """

    psp: str | None = None
    code: str | None = None
    decline_code: str | None = None
    reason: str | None = None
    source: str | None = None
    step: str | None = None
    network: str | None = None
    network_decline_code: str | None = None
    network_advice_code: str | None = None
    advice_code: str | None = None
    description: str | None = None

    @classmethod
    def of(cls, payload: object) -> ErrorInfo:
        """From untrusted JSON: known fields that hold text are kept, everything else is missing."""
        if not isinstance(payload, Mapping):
            return cls()
        return cls(**{name: v for name in FIELDS if isinstance(v := payload.get(name), str)})


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(ErrorInfo))


@dataclass(frozen=True, slots=True)
class Classification:
    """Why a payment failed and what may happen next.

    `hard`: never again off-session on this instrument. `late_authorisation`: no new order or link
    for 5 days. `confidence` in [0, 1]. `row` decided the advice, `category_row` the category; both
    are ids of the code table and mostly the same.
    """

    category: Category
    retry_advice: RetryAdvice
    hard: bool
    who_acts: WhoActs
    confidence: float
    late_authorisation: bool
    row: str
    category_row: str


def word(value: Any) -> str:
    """A code as the table spells it: trimmed, lower case; "" for anything that is not text."""
    return value.strip(BLANKS).lower() if isinstance(value, str) else ""


def classify(error: ErrorInfo, table: CodeTable | None = None) -> Classification:
    """Classify one failure by the rules of `codetable`. Never raises, whatever the fields hold."""
    table = table or default_table()
    psp, network = word(error.psp), word(error.network)
    reason, decline_code = word(error.reason), word(error.decline_code)
    advice: CodeRow | None = None
    why: CodeRow | None = None
    for row in (
        table.find(MatchKind.ADVICE_CODE, psp, word(error.advice_code)),
        table.find(MatchKind.DECLINE_CODE, psp, decline_code),
        find_reason(table, psp, reason, word(error.source), word(error.step)),
        table.find(MatchKind.NETWORK_DECLINE_CODE, network, word(error.network_decline_code)),
        table.find(MatchKind.NETWORK_ADVICE_CODE, network, word(error.network_advice_code)),
    ):
        advice, why = decides(advice, row), explains(why, row)
    if why is None:
        row = table.find(MatchKind.CODE, psp, word(error.code))
        if row is not None and not (row.generic and (reason or decline_code)):
            advice, why = decides(row, advice), row
    return answer(advice or DEFAULT_ROW, why or DEFAULT_ROW)


def find_reason(table: CodeTable, psp: str, reason: str, source: str, step: str) -> CodeRow | None:
    """The row of a reason, the most narrowed one first: by source and step, source, step, alone."""
    for key in ((source, step), (source, ""), ("", step), ("", "")):
        row = table.find(MatchKind.REASON, psp, reason, *key)
        if row is not None:
            return row
    return None


def answer(advice: CodeRow, why: CodeRow) -> Classification:
    """The classification two rows give together; it is as sure as the less sure of them."""
    return Classification(
        category=why.category or Category.UNKNOWN,
        retry_advice=advice.retry_advice,
        hard=ADVICE[advice.retry_advice].hard,
        who_acts=advice.who_acts,
        confidence=min(advice.confidence, why.confidence),
        late_authorisation=advice.late_authorisation or why.late_authorisation,
        row=advice.id,
        category_row=why.id,
    )
