"""The words of the quarantine: where a row came from, why it was set aside, what became of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Source(StrEnum):
    """Where a refused row is, and so the way back."""

    INBOX = "inbox"
    LISTING = "listing"
    LEDGER = "ledger"


SOURCES: Mapping[Source, str] = {
    Source.INBOX: "An event in the inbox: worked off again",
    Source.LISTING: "A row that a PSP listed: screened and loaded again",
    Source.LEDGER: "A row of the ledger: its debt is checked and carried again",
}


class QuarantineState(StrEnum):
    QUARANTINED = "quarantined"
    REPLAYED = "replayed"
    DROPPED = "dropped"


STATES: Mapping[QuarantineState, str] = {
    QuarantineState.QUARANTINED: "Held until somebody decides",
    QuarantineState.REPLAYED: "Let back; refused again, it is held again",
    QuarantineState.DROPPED: "Given up: it stays out",
}


class Poison(StrEnum):
    """Why an event is refused where no check of its content could be asked."""

    UNREADABLE = "event_unreadable"
    UNKNOWN_AT_PSP = "event_unknown_at_psp"
    UNWRITABLE = "event_unwritable"


POISON: Mapping[Poison, str] = {
    Poison.UNREADABLE: "Its body is not what its reader takes",
    Poison.UNKNOWN_AT_PSP: "The PSP does not know what it told us of",
    Poison.UNWRITABLE: "The ledger cannot hold what it says",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The checks that refused a row, by name, and what they saw of it, for a person."""

    reasons: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Aside:
    """A row to set aside. `key` names it in its `frame`; `debt_id` is held back with it."""

    org_id: uuid.UUID
    source: Source
    frame: str
    key: str
    refusal: Refusal
    payload: Mapping[str, Any] = field(default_factory=dict)
    debt_id: uuid.UUID | None = None
