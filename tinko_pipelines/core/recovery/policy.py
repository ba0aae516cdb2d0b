"""How a merchant wants to retry. Versioned, never edited in place.

A definition that was stored once stays readable: what is missing takes today's default, and the
shapes of before are brought to today's by `_of_before`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, field_validator, model_validator

from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice
from tinko_pipelines.core.notifications.channels import ChannelName
from tinko_pipelines.core.recovery.strategy import (
    Backoff,
    ByAdvice,
    FailureSeen,
    Part,
    Step,
    Strategy,
)
from tinko_pipelines.core.recovery.windows import Some, Window, Windows
from tinko_pipelines.core.rules.values import Currency, Minor

# today's default, by what the last failure advises
MAX_RETRIES: Mapping[RetryAdvice, int] = {
    RetryAdvice.TIMED: 6,
    RetryAdvice.CAUTIOUS: 3,
    # a poll that ended as a confirmed failure is an ordinary failure by then
    RetryAdvice.POLL: 2,
    RetryAdvice.NEVER: 0,
    RetryAdvice.PAYER_ACTION: 0,
}
# rule 12 of DESIGN.md: of these no policy may make a retry
NOT_RETRIED = (RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION)
_BACKOFF = ("base_hours", "cap_hours", "floor_hours")

Count = Annotated[StrictInt, Field(ge=0, le=100)]
Days = Annotated[float, Field(gt=0, le=366, allow_inf_nan=False)]
Channels = Annotated[tuple[ChannelName, ...], Field(max_length=8), Some]


class Band(Part):
    """Amounts (minor units) that are retried at all; what is `below` or `above` goes to the payer,
    or is given up."""

    min_minor: Minor | None = None
    max_minor: Minor | None = None
    below: Literal["payer", "stop"] = "payer"
    above: Literal["payer", "stop"] = "payer"

    @model_validator(mode="after")
    def _in_order(self) -> Band:
        if self.min_minor is None and self.max_minor is None:
            raise ValueError("give min_minor, max_minor or both")
        low, high = self.min_minor or 0, self.max_minor
        if high is not None and low > high:
            raise ValueError(f"min_minor {low} is above max_minor {high}")
        return self

    def refuses(self, amount: int) -> tuple[Literal["below", "above"], str] | None:
        """Which end an amount passes, and what to do with it then."""
        if self.min_minor is not None and amount < self.min_minor:
            return "below", self.below
        if self.max_minor is not None and amount > self.max_minor:
            return "above", self.above
        return None


class Override(Part):
    """What holds for one category of failure instead; what is left out stays the policy's."""

    strategy: Strategy | None = None
    windows: Windows | None = None
    max_retries: Count | None = None
    channels: Channels | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy for one failure: strategy, windows (none: any time), most retries, channels."""

    strategy: Strategy
    windows: tuple[Window, ...]
    max_retries: int
    channels: tuple[ChannelName, ...]


class Policy(Part):
    """When to retry, how often, how long, and when and how the payer is asked."""

    strategy: Strategy = Backoff()
    windows: Windows | None = None
    # tries of ours, by what the last failure advises; and in all, whatever a rule says
    max_retries: dict[RetryAdvice, Count] = Field(default_factory=lambda: dict(MAX_RETRIES))
    max_attempts: Annotated[StrictInt, Field(ge=0, le=100)] = 15
    max_days: Days = 18.0
    amounts: Annotated[dict[Currency, Band], Field(max_length=200)] = Field(default_factory=dict)
    categories: Annotated[dict[Category, Override], Field(max_length=64)] = Field(
        default_factory=dict
    )
    # how long the PSP's own retries are watched after their last failure
    psp_patience_days: Days = 4.0
    remind_hours: Annotated[float, Field(gt=0, le=24 * 90, allow_inf_nan=False)] = 72.0
    max_messages: Annotated[StrictInt, Field(ge=1, le=20)] = 2
    link_days: Days = 10.0
    channels: Channels = (ChannelName.EMAIL,)

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, given: Any) -> Any:
        """Until November 2026 the back-off stood in the policy itself."""
        if not isinstance(given, Mapping) or "strategy" in given:
            return given
        backoff = {name: given[name] for name in _BACKOFF if name in given}
        if not backoff:
            return given
        rest = {name: value for name, value in given.items() if name not in backoff}
        return rest | {"strategy": {"kind": "backoff"} | backoff}

    @field_validator("max_retries")
    @classmethod
    def _all_advice(cls, given: dict[RetryAdvice, int]) -> dict[RetryAdvice, int]:
        for advice in NOT_RETRIED:
            if given.get(advice):
                raise ValueError(f"{advice}: such a failure is never retried")
        return {**MAX_RETRIES, **given}

    @cached_property
    def asks_for_banking_days(self) -> bool:
        """Whether any of its windows is of the month's last banking day."""
        overrides = self.categories.values()
        strategies = (self.strategy, *(one.strategy for one in overrides))
        steps = (step for one in strategies if isinstance(one, ByAdvice) for step in one.steps)
        named: tuple[Policy | Override | Step, ...] = (self, *overrides, *steps)
        return any(window.last_banking_day for one in named for window in one.windows or ())

    def plan(self, failure: FailureSeen) -> Plan:
        """What holds for a failure, the most specific first: step, category, policy."""
        override = self.categories.get(failure.category) if failure.category else None
        override = override or Override()
        strategy = override.strategy or self.strategy
        step = strategy.step(failure) if isinstance(strategy, ByAdvice) else None
        advice = failure.advice or RetryAdvice.CAUTIOUS
        most = self.max_retries[advice]
        if override.max_retries is not None and advice not in NOT_RETRIED:
            most = override.max_retries
        return Plan(
            strategy=strategy,
            windows=(step and step.windows) or override.windows or self.windows or (),
            max_retries=min(most, self.max_attempts),
            channels=override.channels or self.channels,
        )


DEFAULT_POLICY = Policy()
