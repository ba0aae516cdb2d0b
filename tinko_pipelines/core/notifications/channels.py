"""Channels: how a written message leaves us, and what came of it.

A channel never raises for what the other side did: every end is a `Delivery`, which says whether
another try can help. It does one try; tries and back-off are the outbox's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tinko_pipelines.core.notifications.messages import Content

TIMEOUT_SECONDS = 20.0  # of each read and write on the connection


class ChannelName(StrEnum):
    EMAIL = "email"
    SMS = "sms"


class Result(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one try came to. `permanent`: the same message will not be taken later either.

    `detail` is the other side's own words, shortened; it never holds the message.
    """

    result: Result
    permanent: bool = False
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message on its way. `key` is the same for every try of it; `at` is business time."""

    key: str
    recipient: str
    sender_name: str
    language: str
    at: datetime
    content: Content


class Channel(Protocol):
    """Something that takes messages. Held for one round of sending, then closed."""

    def send(self, envelope: Envelope) -> Delivery: ...

    def close(self) -> None: ...


def channel_of(recipient: str) -> ChannelName:
    """An address with an @ is e-mail, anything else a phone number."""
    return ChannelName.EMAIL if "@" in recipient else ChannelName.SMS


def shorten(words: object, limit: int = 300) -> str:
    """One line of at most `limit` characters, for `last_error` and the delivery's detail."""
    return " ".join(str(words).split())[:limit]
