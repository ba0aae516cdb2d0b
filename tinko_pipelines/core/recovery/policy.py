"""How a merchant wants to retry. Versioned, never edited in place."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from tinko_pipelines.core.failures.taxonomy import RetryAdvice


class Policy(BaseModel):
    """Exponential back-off with full jitter, its caps, and when the payer is asked.

    The delay before retry n (from 0) is drawn from [floor_hours, min(cap_hours, base_hours·2ⁿ)],
    in business hours after the last failure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_hours: float = Field(36.0, gt=0)
    cap_hours: float = Field(96.0, gt=0)
    floor_hours: float = Field(12.0, ge=0)
    # tries of ours, by what the last failure advises
    max_retries: dict[RetryAdvice, int] = Field(
        default_factory=lambda: {
            RetryAdvice.TIMED: 6,
            RetryAdvice.CAUTIOUS: 3,
            # a poll that ended as a confirmed failure is an ordinary failure by then
            RetryAdvice.POLL: 2,
            RetryAdvice.NEVER: 0,
            RetryAdvice.PAYER_ACTION: 0,
        }
    )
    max_days: float = Field(18.0, gt=0)
    # how long the PSP's own retries are watched after their last failure
    psp_patience_days: float = Field(4.0, gt=0)
    remind_hours: float = Field(72.0, gt=0)
    max_messages: int = Field(2, ge=1)
    link_days: float = Field(10.0, gt=0)
    channels: tuple[str, ...] = ("email",)

    def delay(self, key: str, ordinal: int) -> timedelta:
        """The pause before retry `ordinal` (from 0). `key` names the debt: the same key and
        ordinal give the same pause, so a decision can be replayed."""
        high = max(self.floor_hours, min(self.cap_hours, self.base_hours * 2**ordinal))
        drawn = _uniform(f"{key}:{ordinal}")
        return timedelta(hours=self.floor_hours + drawn * (high - self.floor_hours))


DEFAULT_POLICY = Policy()


def _uniform(text: str) -> float:
    """[0, 1), spread evenly, the same for the same text everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest()) / 2**56
