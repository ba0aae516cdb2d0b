"""One row of the code table, and how rows that speak for one failure combine.

`classifier` asks for one error, `vectorised` for millions; both by these rules
(docs/decisions/0013-who-explains-a-failure.md).

1. The kinds of `MatchKind` are asked in its order, most specific first: the merchant's own
   override, the network's advice code, the network's decline code, the PSP's words, the PSP's
   bare code. The bare code is asked only when nothing above explains the failure.
2. The *category* is that of the most specific row that explains. A row without a category is
   advice only: it says what to do, not why.
3. The *advice* is that of the most specific row, except that a weaker advice never replaces a
   stronger one (`AdviceFacts.strength`): a network's "try later" does not undo a PSP's "stolen".
   Only the merchant's override may, and not what a scheme forbids (`overruled`).
4. `generic` rows are wrappers (05 do not honour, U30 debit failed, `card_declined`): they speak
   only when nothing else does. Beside a reason or decline code we do not know they say nothing,
   and the failure stays `unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.failures.taxonomy import (
    ADVICE,
    CATEGORIES,
    Category,
    RetryAdvice,
    WhoActs,
)


class MatchKind(StrEnum):
    """Which field of an error a row is compared with, most specific first."""

    OVERRIDE = "override"
    NETWORK_ADVICE_CODE = "network_advice_code"
    NETWORK_DECLINE_CODE = "network_decline_code"
    REASON = "reason"
    DECLINE_CODE = "decline_code"
    ADVICE_CODE = "advice_code"
    CODE = "code"
    DEFAULT = "default"


# least specific first, as rows are taken in
PSP_KINDS = (MatchKind.ADVICE_CODE, MatchKind.DECLINE_CODE, MatchKind.REASON)
NETWORK_KINDS = (MatchKind.NETWORK_DECLINE_CODE, MatchKind.NETWORK_ADVICE_CODE)
_MAY_BE_GENERIC = (MatchKind.CODE, MatchKind.NETWORK_DECLINE_CODE)
UNKNOWN_CONFIDENCE = 0.1


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code and what it means. `owner` is the PSP, or the network for the network kinds.

    `late_authorisation`: timeout-like, so the payment may still be authorised and no new order or
    link is opened for 5 days (DESIGN.md, rule 6). `source` and `date`: where the rule comes from.
    """

    id: str
    kind: MatchKind
    owner: str
    code: str
    category: Category | None
    retry_advice: RetryAdvice
    who_acts: WhoActs
    confidence: float
    source: str
    date: date
    error_source: str = ""
    error_step: str = ""
    late_authorisation: bool = False
    generic: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise SettingsError(f"{self.id}: confidence {self.confidence} is not in [0, 1]")
        if self.category is not None:
            wrong = incoherent(self.category, self.retry_advice)
            if wrong:
                raise SettingsError(f"{self.id}: {wrong}")
        if self.generic and self.kind not in _MAY_BE_GENERIC:
            raise SettingsError(f"{self.id}: a row of kind {self.kind} cannot be generic")
        if (self.error_source or self.error_step) and self.kind is not MatchKind.REASON:
            raise SettingsError(f"{self.id}: only a reason can be narrowed by source or step")

    @property
    def strength(self) -> int:
        """How hard this row's advice is to replace (`AdviceFacts.strength`)."""
        return ADVICE[self.retry_advice].strength


def incoherent(category: Category, advice: RetryAdvice) -> str | None:
    """What is wrong with a row that gives both: a hard category is never retried, and an outcome
    nobody knows is polled, as nothing else is. None where nothing is."""
    if (category is Category.OUTCOME_UNKNOWN) != (advice is RetryAdvice.POLL):
        return f"{Category.OUTCOME_UNKNOWN} and {RetryAdvice.POLL} go together"
    if CATEGORIES[category].hard and ADVICE[advice].retries:
        return f"{category} is hard, {advice} is not"
    return None


DEFAULT_ROW = CodeRow(
    id="default.unknown",
    kind=MatchKind.DEFAULT,
    owner="",
    code="",
    category=Category.UNKNOWN,
    retry_advice=RetryAdvice.CAUTIOUS,
    who_acts=WhoActs.NOBODY,
    confidence=UNKNOWN_CONFIDENCE,
    source="own default: few retries and contact until somebody maps the code",
    date=date(2026, 11, 1),
)


def decides(held: CodeRow | None, specific: CodeRow | None) -> CodeRow | None:
    """Which of two rows gives the advice; `specific` is the more specific one (point 3)."""
    if held is None or specific is None:
        return specific or held
    return specific if specific.strength >= held.strength else held


def explains(held: CodeRow | None, specific: CodeRow | None) -> CodeRow | None:
    """Which of two rows gives the category; `specific` is the more specific one (point 2)."""
    return specific if specific is not None and specific.category is not None else held


def overruled(override: CodeRow, scheme: CodeRow | None) -> CodeRow:
    """Which row gives the advice where a merchant's override matches: the override, unless it
    would retry what the scheme's own row forbids or has not decided yet."""
    retries = ADVICE[override.retry_advice].retries
    if retries and scheme is not None and not ADVICE[scheme.retry_advice].retries:
        return scheme
    return override
