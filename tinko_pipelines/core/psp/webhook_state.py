"""Whether one connection's webhook stands at its PSP, among all that the account has."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from enum import StrEnum
from urllib.parse import urlsplit

from tinko_pipelines.core.psp.types import Psp


class WebhookState(StrEnum):
    """What the PSP itself says of it."""

    ON = "on"
    OFF = "off"
    MISSING = "missing"  # no webhook of the account names our address


def webhook_path(psp: Psp, connection_id: uuid.UUID) -> str:
    """The path of the address to which the PSP sends a connection's events."""
    return f"/v1/webhooks/{psp}/{connection_id}"


def state_of(webhooks: Iterable[tuple[str, bool]], path: str) -> WebhookState:
    """How the webhook to `path` stands among an account's (address, whether it is on).

    By the path, which holds the connection's id: the host in front of it may be any of ours.
    """
    ours = [on for url, on in webhooks if urlsplit(url).path.rstrip("/").endswith(path)]
    if not ours:
        return WebhookState.MISSING
    return WebhookState.ON if any(ours) else WebhookState.OFF
