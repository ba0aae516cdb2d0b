"""Native checks at the edge: what one event says of a debt, before it is written to the ledger.

Pydantic models over `Observation` and its parts. They run for every event, so they cost
microseconds and look at one event alone; what needs a whole frame is asked by the suites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tinko_pipelines.core.psp.types import Observation
from tinko_pipelines.core.quality.model import Refusal
from tinko_pipelines.core.rules.vocabulary import CURRENCIES

# no currency has a single payment of more minor units than this
MOST_MINOR = 10**15
# Stripe opened in 2011, Razorpay in 2014: an older instant was misread (seconds for milliseconds)
EARLIEST = datetime(2011, 1, 1, tzinfo=UTC)
# PSP clocks and business time part by seconds; a day allows for a date without its zone
AHEAD = timedelta(days=1)
# a subscription's cycle is told of before it begins
CYCLE_AHEAD = timedelta(days=400)

# each check by the name that quarantine and proofs know it by, with what it asks
EDGE: Mapping[str, str] = {
    "event_currency": "Money is in an ISO 4217 currency",
    "event_currencies_mixed": "All money of one debt is in one currency",
    "event_amount": "Amounts are between 0 and 10^15 minor units",
    "event_refund": "No more is refunded than was paid",
    "event_object_id": "Ids of PSP objects are words of at most 255 characters",
    "event_time": "Payments lie between 2011 and tomorrow, debts at most a year on",
    "event_dispute": "A dispute is over no more than a payment can be",
}


def _known(code: str) -> str:
    if code not in CURRENCIES:
        raise PydanticCustomError(
            "event_currency", "{code} is no ISO 4217 currency", {"code": code}
        )
    return code


def _word(value: str) -> str:
    if not (0 < len(value) <= 255 and value.isascii() and value.isprintable() and " " not in value):
        raise PydanticCustomError("event_object_id", "an id is a word of at most 255 characters")
    return value


def _minor(value: int) -> int:
    if not 0 <= value <= MOST_MINOR:
        raise PydanticCustomError("event_amount", "not between 0 and 10^15 minor units")
    return value


def _disputed(value: int) -> int:
    if not 0 < value <= MOST_MINOR:
        raise PydanticCustomError("event_dispute", "not between 1 and 10^15 minor units")
    return value


Currency = Annotated[str, AfterValidator(_known)]
ObjectId = Annotated[str, AfterValidator(_word)]
Minor = Annotated[int, Field(strict=True), AfterValidator(_minor)]
Disputed = Annotated[int, Field(strict=True), AfterValidator(_disputed)]
_read = ConfigDict(from_attributes=True, frozen=True)


def _in_time(value: datetime | None, latest: datetime) -> None:
    if value is not None and not EARLIEST <= value <= latest:
        raise PydanticCustomError(
            "event_time", "{at} is before 2011 or too far ahead", {"at": value.isoformat()}
        )


class _Ref(BaseModel):
    model_config = _read
    object_id: ObjectId


class _Payment(BaseModel):
    model_config = _read
    object_id: ObjectId
    amount: Minor
    currency: Currency
    refunded: int | None
    occurred_at: AwareDatetime
    updated_at: AwareDatetime

    @model_validator(mode="after")
    def _together(self, info: Any) -> _Payment:
        _in_time(self.occurred_at, info.context["latest"])
        _in_time(self.updated_at, info.context["latest"])
        if self.refunded is not None and not 0 <= self.refunded <= self.amount:
            raise PydanticCustomError("event_refund", "more is refunded than was paid")
        return self


class _Dispute(BaseModel):
    model_config = _read
    object_id: ObjectId
    amount: Disputed
    currency: Currency


class _Seen(BaseModel):
    model_config = _read
    refs: tuple[_Ref, ...]
    due: Minor | None
    paid: Minor | None
    currency: Currency | None
    created_at: AwareDatetime | None
    payments: tuple[_Payment, ...]
    disputes: tuple[_Dispute, ...]

    @model_validator(mode="after")
    def _together(self, info: Any) -> _Seen:
        _in_time(self.created_at, info.context["latest"] + CYCLE_AHEAD)
        # a dispute may be settled in the merchant's own currency: it is not asked here
        said = {one.currency for one in self.payments}
        if self.currency is not None:
            said.add(self.currency)
        if len(said) > 1:
            raise PydanticCustomError(
                "event_currencies_mixed", "{all} in one event", {"all": ", ".join(sorted(said))}
            )
        return self


def refused(seen: Observation, now: datetime) -> Refusal | None:
    """Why `seen` must not be written at business time `now`; None where nothing is wrong. Pure."""
    try:
        _Seen.model_validate(seen, context={"latest": now + AHEAD})
    except ValidationError as error:
        found = list(_faults(error))
        reasons = tuple(dict.fromkeys(name for name, _ in found))
        return Refusal(reasons, "; ".join(text for _, text in found))
    return None


def _faults(error: ValidationError) -> Iterator[tuple[str, str]]:
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in one["loc"]) or "event"
        # a type of the wrong kind is a fault of the reader; it is named after the nearest check
        name = one["type"] if one["type"] in EDGE else "event_amount"
        yield name, f"{name}: {where}: {one['msg']}"
