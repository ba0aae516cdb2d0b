"""How long to wait before the next retry: a ladder, a back-off, or by what the failure advises."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice
from tinko_pipelines.core.recovery.windows import Some, Windows

_GAP = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)([dhm])")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
MIN_GAP, MAX_GAP = timedelta(minutes=1), timedelta(days=90)


class Part(BaseModel):
    """A piece of a policy: frozen, and nothing in it that we do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


@dataclass(frozen=True, slots=True)
class FailureSeen:
    """What a strategy may look at of the last failure."""

    category: Category | None = None
    advice: RetryAdvice | None = None
    codes: frozenset[str] = frozenset()


def gap(text: str) -> timedelta:
    """`8d` (of 24 h), `36h`, `90m`. Raises ValueError."""
    found = _GAP.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a number with d, h or m, as in 8d, 36h, 90m")
    length = float(found[1]) * _UNITS[found[2]]
    if not MIN_GAP <= length <= MAX_GAP:
        raise ValueError(f"{text!r} is not between a minute and 90 days")
    return length


def _gap_text(text: str) -> str:
    gap(text)
    return text


Gap = Annotated[str, Field(max_length=12), AfterValidator(_gap_text)]
Gaps = Annotated[tuple[Gap, ...], Field(max_length=64), Some]
Hours = Annotated[float, Field(le=24 * 90, allow_inf_nan=False)]


class Ladder(Part):
    """Fixed gaps, each after the failure before it; when they are used up, the payer is asked."""

    kind: Literal["ladder"] = "ladder"
    gaps: Gaps

    def pause(self, key: str, ordinal: int, failure: FailureSeen) -> timedelta | None:
        """The pause before retry `ordinal` (from 0); None where there is to be none."""
        return gap(self.gaps[ordinal]) if ordinal < len(self.gaps) else None


class Backoff(Part):
    """Exponential with full jitter: drawn from [floor_hours, min(cap_hours, base_hours·2ⁿ)].

    In business hours after the last failure.
    """

    kind: Literal["backoff"] = "backoff"
    base_hours: Annotated[Hours, Field(gt=0)] = 36.0
    cap_hours: Annotated[Hours, Field(gt=0)] = 96.0
    floor_hours: Annotated[Hours, Field(ge=0)] = 12.0

    def pause(self, key: str, ordinal: int, failure: FailureSeen) -> timedelta:
        """The pause before retry `ordinal` (from 0). `key` names the debt: the same key and
        ordinal give the same pause, so a decision can be replayed."""
        # 2 to the power of more than the cap's bits is the cap
        high = max(self.floor_hours, min(self.cap_hours, self.base_hours * 2 ** min(ordinal, 32)))
        drawn = _uniform(f"{key}:{ordinal}")
        return timedelta(hours=self.floor_hours + drawn * (high - self.floor_hours))


class Step(Part):
    """For failures of these categories, advice or codes (what is left out matches all): wait the
    n-th gap, the last of them again and again, then for one of `windows` to open.

    `codes` are the PSP's code, reason or advice code, or the network's decline or advice code.
    """

    categories: Annotated[tuple[Category, ...], Field(max_length=32), Some] | None = None
    advice: Annotated[tuple[RetryAdvice, ...], Field(max_length=8), Some] | None = None
    codes: (
        Annotated[
            tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
            Field(max_length=128),
            Some,
        ]
        | None
    ) = None
    gaps: Gaps
    windows: Windows | None = None

    def speaks_of(self, failure: FailureSeen) -> bool:
        return (
            (self.categories is None or failure.category in self.categories)
            and (self.advice is None or failure.advice in self.advice)
            and (self.codes is None or not failure.codes.isdisjoint(self.codes))
        )


class ByAdvice(Part):
    """The first step that speaks of the failure decides; `otherwise` where none does."""

    kind: Literal["advice"] = "advice"
    steps: Annotated[tuple[Step, ...], Field(max_length=64), Some]
    otherwise: Ladder | Backoff = Field(Backoff(), discriminator="kind")

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, given: Any) -> Any:
        # written out, so that the version keeps them when the usual ones change
        if isinstance(given, dict) and "steps" not in given:
            return {**given, "steps": USUAL_STEPS}
        return given

    def step(self, failure: FailureSeen) -> Step | None:
        return next((one for one in self.steps if one.speaks_of(failure)), None)

    def pause(self, key: str, ordinal: int, failure: FailureSeen) -> timedelta | None:
        """The pause before retry `ordinal` (from 0); None where there is to be none."""
        found = self.step(failure)
        if found is None:
            return self.otherwise.pause(key, ordinal, failure)
        return gap(found.gaps[min(ordinal, len(found.gaps) - 1)])


# funds come with the salary; an issuer that is away is back in hours; a bank that says no
# without a reason says so again tomorrow
USUAL_STEPS: tuple[dict[str, Any], ...] = (
    {
        "categories": ["insufficient_funds", "limit_exceeded"],
        "gaps": ["12h", "36h"],
        "windows": [{"preset": "paydays", "timezone": "payer"}],
    },
    {
        "categories": ["issuer_unavailable", "processing_error"],
        "gaps": ["2h", "6h", "12h", "24h"],
    },
    {"advice": ["cautious"], "gaps": ["3d", "5d"]},
)

Strategy = Annotated[Ladder | Backoff | ByAdvice, Field(discriminator="kind")]


def _uniform(text: str) -> float:
    """[0, 1), spread evenly, the same for the same text everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) / 2**56
