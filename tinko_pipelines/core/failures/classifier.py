"""One failure, one answer: pure, total, and explained by the rows that gave it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

from tinko_pipelines.core.failures.coderow import (
    DEFAULT_ROW,
    NETWORK_KINDS,
    CodeRow,
    MatchKind,
    decides,
    explains,
    overruled,
)
from tinko_pipelines.core.failures.codetable import CodeTable, default_table
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

    @classmethod
    def of_attempt(cls, psp: str, network: str | None, said: Mapping[str, Any] | None) -> ErrorInfo:
        """From an attempt's columns: what its PSP `said`, which knows psp and network best."""
        told = {name: value for name, value in (said or {}).items() if value}
        return cls.of({"psp": psp, "network": network} | told)


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(ErrorInfo))


class Finder(Protocol):
    """What a merchant's own rules are to the classifier (`override_rules.Overrides`)."""

    def find(self, error: ErrorInfo) -> CodeRow | None:
        """The row of the first rule that matches, or None."""


@dataclass(frozen=True, slots=True)
class Classification:
    """Why a payment failed and what may happen next.

    `hard`: never again off-session on this instrument. `late_authorisation`: no new order or link
    for 5 days. `confidence` in [0, 1]. `row` decided the advice, `category_row` the category; both
    are ids of the code table, or of a merchant's rule, and mostly the same.
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


def classify(
    error: ErrorInfo, table: CodeTable | None = None, overrides: Finder | None = None
) -> Classification:
    """Classify one failure by the rules of `coderow`. Never raises, whatever the fields hold."""
    found = matching(error, table or default_table())
    return answer(found, overrides.find(error) if overrides is not None else None)


def matching(error: ErrorInfo, table: CodeTable) -> list[CodeRow]:
    """The rows that speak for an error, least specific first."""
    psp, network = word(error.psp), word(error.network)
    reason, decline_code = word(error.reason), word(error.decline_code)
    declined = table.find_decline(network, word(error.network_decline_code))
    rows = (
        table.find(MatchKind.ADVICE_CODE, psp, word(error.advice_code)),
        table.find(MatchKind.DECLINE_CODE, psp, decline_code),
        find_reason(table, psp, reason, word(error.source), word(error.step)),
        None if declined is None or declined.generic else declined,
        table.find(MatchKind.NETWORK_ADVICE_CODE, network, word(error.network_advice_code)),
    )
    found = [row for row in rows if row is not None]
    if all(row.category is None for row in found):
        last = table.find(MatchKind.CODE, psp, word(error.code))
        if last is None or last.generic:
            generic = declined if declined is not None and declined.generic else last
            last = None if reason or decline_code else generic
        if last is not None:
            found.insert(0, last)
    return found


def find_reason(table: CodeTable, psp: str, reason: str, source: str, step: str) -> CodeRow | None:
    """The row of a reason, the most narrowed one first: by source and step, source, step, alone."""
    for key in ((source, step), (source, ""), ("", step), ("", "")):
        row = table.find(MatchKind.REASON, psp, reason, *key)
        if row is not None:
            return row
    return None


def answer(found: Iterable[CodeRow], override: CodeRow | None = None) -> Classification:
    """What matching rows say together, least specific first, and a merchant's override of them.

    The answer is as sure as the less sure of the two rows that gave it. That a payment may still
    be authorised nobody can override.
    """
    decider = explainer = scheme = None
    late = False
    for row in found:
        decider, explainer = decides(decider, row), explains(explainer, row)
        late = late or row.late_authorisation
        if row.kind in NETWORK_KINDS:
            scheme = decides(scheme, row)
    if override is not None:
        decider, explainer = overruled(override, scheme), override
        late = late or override.late_authorisation
    advice, why = decider or DEFAULT_ROW, explainer or DEFAULT_ROW
    return Classification(
        category=why.category or Category.UNKNOWN,
        retry_advice=advice.retry_advice,
        hard=ADVICE[advice.retry_advice].hard,
        who_acts=advice.who_acts,
        confidence=min(advice.confidence, why.confidence),
        late_authorisation=late,
        row=advice.id,
        category_row=why.id,
    )
