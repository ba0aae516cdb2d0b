"""The labelled points of the executor, where a chaos test may kill the process."""

from __future__ import annotations

from collections.abc import Callable

Point = Callable[[str], None]

# in the order an attempt may pass them; "…ing" stands inside a transaction, before its commit
CHARGING = (
    "claiming",
    "claimed",
    "read",
    "door_closed",
    "held",
    "permitted",
    "submitting",
    "submitted",
    "sending",
    "sent",
    "recording",
    "recorded",
)
GIVING_BACK = ("giving_back", "given_back")
# between "permitted" and a later charge, where the pre-debit notice is ours to ask for
NOTIFYING = ("asking_notice", "asked_notice", "notified", "keeping_notice", "kept_notice")
RESOLVING = ("returning", "doubting", "asking", "asked", "concluding", "concluded")
LABELS = (*CHARGING, *GIVING_BACK, *NOTIFYING, *RESOLVING)


def no_point(label: str) -> None:
    """Where a chaos test would kill the process."""
