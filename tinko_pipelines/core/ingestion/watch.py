"""Whether webhooks still come: what they missed, and whether a PSP has switched one off.

Razorpay disables a webhook that failed for 24 hours (razorpay.com/docs/webhooks/best-practices),
Stripe one that failed for days. Where the PSP's API tells, that is asked; where it does not, the
events that only a listing found tell of it. What was found is kept (`webhook_watch`), so that
`/metrics` and its alert rules see it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PspError
from tinko_pipelines.core.ids import id_floor
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.psp.webhook_state import WebhookState, webhook_path
from tinko_pipelines.core.tenants.desk import Desk

# of all events, those that only a listing found: more is worth a look at what answers webhooks
MISSED_SHARE = 0.01
# events since the last webhook that only a listing found: fewer may be strays
HUSHED = 5


class Hearing(StrEnum):
    """How a connection's webhooks stand."""

    ALIVE = "alive"
    QUIET = "quiet"  # nothing came, and there was nothing to tell
    SILENT = "silent"  # the PSP had payments, listings found their events, no webhook did
    MISSING = "missing"  # nothing came, and the PSP knows of no webhook of ours
    DISABLED = "disabled"  # the PSP itself says that ours is switched off


DEAF = (Hearing.SILENT, Hearing.MISSING, Hearing.DISABLED)


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A connection's last hours of business time. `webhooks` events came by themselves, `healed`
    only by listing, `unheard` of them since the last webhook, of `payments` that the PSP lists;
    `state` is the PSP's own word, if any."""

    connection_id: uuid.UUID
    org_id: uuid.UUID
    psp: Psp
    webhooks: int
    healed: int
    unheard: int
    payments: int
    last_webhook: datetime | None
    state: WebhookState | None

    @property
    def missed_share(self) -> float:
        """Of the events there were, those that no webhook brought: 0 to 1."""
        return self.healed / max(1, self.healed + self.webhooks)

    @property
    def hearing(self) -> Hearing:
        """What this comes to."""
        if self.state is WebhookState.OFF:
            return Hearing.DISABLED
        if self.webhooks:
            return Hearing.SILENT if self.unheard >= HUSHED else Hearing.ALIVE
        if self.state is WebhookState.MISSING:
            return Hearing.MISSING
        return Hearing.SILENT if self.payments and self.healed else Hearing.QUIET


def look(engine: Engine, desk: Desk, psp: Psp, now: datetime, hours: int) -> list[WebhookView]:
    """The active connections of `psp` that are older than `hours` (business time).

    A PSP that cannot be asked now has no word of its own (`state` None).
    """
    since = now - timedelta(hours=hours)
    values = {"psp": psp.value, "since": since, "until": now, "floor": id_floor(since)}
    with unit_of_work(engine) as connection:
        rows = connection.execute(query("ingestion", "webhook_view"), values).all()
    return [
        WebhookView(
            row.id,
            row.org_id,
            psp,
            row.webhooks,
            row.healed,
            row.unheard,
            row.payments,
            row.last_webhook,
            _state(desk, row.id),
        )
        for row in rows
    ]


def note(engine: Engine, views: Sequence[WebhookView], now: datetime, wall: datetime) -> None:
    """Keep how each webhook stands; `now` is business time, `wall` the wall's."""
    if not views:
        return
    values = {
        "connection_ids": [one.connection_id for one in views],
        "org_ids": [one.org_id for one in views],
        "psps": [one.psp.value for one in views],
        "hearings": [one.hearing.value for one in views],
        "now": now,
        "wall": wall,
    }
    with unit_of_work(engine) as connection:
        connection.execute(query("ingestion", "note_webhooks"), values)


def _state(desk: Desk, connection_id: uuid.UUID) -> WebhookState | None:
    seat = desk.seats.get(connection_id)
    if seat is None:
        return None
    try:
        return seat.adapter.webhook_state(webhook_path(seat.adapter.psp, connection_id))
    except PspError:
        return None
