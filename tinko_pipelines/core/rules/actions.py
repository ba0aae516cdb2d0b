"""What a rule does where it holds: an ordered list of typed actions without contradictions."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, StrictInt, model_validator
from pydantic import Field as Constrained

from tinko_pipelines.core.notifications.channels import ChannelName
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.rules.values import TimeOfDay, Word, Words
from tinko_pipelines.core.rules.vocabulary import DECIDING, MAX_WAIT_MINUTES, Do, Window, Zone

__all__ = ["DECIDING", "Action", "Deciding", "contradiction", "deciding"]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RetryAt(Part):
    """Retry at the next `time` of day in `zone`, or at an instant; an instant that has passed
    says nothing, and the policy decides."""

    do: Literal[Do.RETRY_AT]
    time: TimeOfDay | None = None
    zone: Zone = Zone.ORG
    instant: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> RetryAt:
        if (self.time is None) == (self.instant is None):
            raise ValueError("give either a time of day (HH:MM) or an instant with its offset")
        return self


class Lasting(Part):
    """A duration of whole hours and minutes of business time, more than 0, up to 90 days."""

    hours: Annotated[StrictInt, Constrained(ge=0)] = 0
    minutes: Annotated[StrictInt, Constrained(ge=0)] = 0

    @model_validator(mode="after")
    def _within(self) -> Lasting:
        if not 0 < self.hours * 60 + self.minutes <= MAX_WAIT_MINUTES:
            raise ValueError("give hours and minutes that come to more than 0 and up to 90 days")
        return self

    @property
    def duration(self) -> timedelta:
        return timedelta(hours=self.hours, minutes=self.minutes)


class RetryIn(Lasting):
    """Retry so long after the failure."""

    do: Literal[Do.RETRY_IN]


class Wait(Lasting):
    """Do nothing until so long after the failure; then the policy decides."""

    do: Literal[Do.WAIT]


class NextWindow(Part):
    """Retry as soon as a window is open: of the policy, or of a preset."""

    do: Literal[Do.NEXT_WINDOW]
    window: Window = Window.POLICY


class AskPayer(Part):
    """Send the payer the link, over these channels in this order."""

    do: Literal[Do.ASK_PAYER]
    channels: Annotated[tuple[ChannelName, ...], Constrained(min_length=1, max_length=8)]

    @model_validator(mode="after")
    def _once_each(self) -> AskPayer:
        if len({*self.channels}) < len(self.channels):
            raise ValueError("a channel is named twice")
        return self


class OfferPsp(Part):
    """Offer this PSP on the payer's page beside the one that failed (DESIGN.md rule 7)."""

    do: Literal[Do.OFFER_PSP]
    psp: Psp


class Stop(Part):
    """Give the case up."""

    do: Literal[Do.STOP]


class Tag(Part):
    """Put words on the case."""

    do: Literal[Do.TAG]
    words: Words

    @property
    def unique(self) -> tuple[Word, ...]:
        return tuple(dict.fromkeys(self.words))


Deciding = RetryAt | RetryIn | NextWindow | AskPayer | Wait | Stop
Action = Annotated[
    RetryAt | RetryIn | NextWindow | AskPayer | OfferPsp | Wait | Stop | Tag,
    Constrained(discriminator="do"),
]


def deciding(actions: tuple[Action, ...]) -> Deciding | None:
    """The action that says what happens next, if the list holds one."""
    for one in actions:
        if isinstance(one, Deciding):
            return one
    return None


def contradiction(kinds: list[Do]) -> tuple[int, str] | None:
    """The place of the first action that cannot stand beside an earlier one, and why."""
    decided: Do | None = None
    for place, kind in enumerate(kinds):
        if kind in kinds[:place]:
            return place, f"{kind} stands here twice"
        if kind in DECIDING:
            if decided is not None:
                return place, f"{decided} and {kind} contradict each other: a rule decides once"
            decided = kind
        if Do.STOP in kinds[: place + 1] and Do.OFFER_PSP in kinds[: place + 1]:
            return place, "stop and offer_psp contradict each other: nobody is asked any more"
    return None
