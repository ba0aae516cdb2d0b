"""Sending what is due: take, send outside any transaction, record. One message at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.money import Money
from tinko_pipelines.core.notifications.channels import (
    Channel,
    ChannelName,
    Delivery,
    Envelope,
    Result,
)
from tinko_pipelines.core.notifications.links import (
    LinkClaims,
    link_expiry,
    make_token,
    pay_url,
    require_secret,
)
from tinko_pipelines.core.notifications.messages import (
    MessageBroken,
    payment_link_facts,
    render,
)
from tinko_pipelines.core.notifications.outbox import Ending, State, Taken, record, take
from tinko_pipelines.core.notifications.smtp import SmtpChannel
from tinko_pipelines.core.settings import Settings

log = logging.getLogger(__name__)


@dataclass
class SendReport:
    """Counts of one round. `waiting`: put back to be tried later; `errors`: what was said."""

    sent: int = 0
    failed: int = 0
    waiting: int = 0
    cancelled: int = 0
    errors: list[str] = field(default_factory=list)

    def count(self, state: State, said: str | None) -> None:
        name = {State.SENT: "sent", State.FAILED: "failed", State.CANCELLED: "cancelled"}
        counter = name.get(state, "waiting")
        setattr(self, counter, getattr(self, counter) + 1)
        if said and state in (State.FAILED, State.PENDING):
            self.errors.append(said)


def send_due(
    engine: Engine,
    settings: Settings,
    clock: Clock,
    limit: int = 100,
    *,
    wall: Clock | None = None,
    channels: Mapping[str, Channel] | None = None,
) -> SendReport:
    """Send at most `limit` due messages; `engine` is the worker's, which sees every tenant.

    What the other side does is in the report and in the rows, never raised. A channel that is
    unreachable is left alone for the round: its rows would only use up their tries.
    Raises SettingsError when JWT_SECRET is not set (before any row is touched), and what the
    database raises.
    """
    require_secret(settings)
    wall = wall or WallClock()
    report = SendReport()
    unreachable: set[str] = set()
    with ExitStack() as stack:
        if channels is None:
            channels = open_channels(settings)
            for channel in channels.values():
                stack.callback(channel.close)
        for _ in range(limit):
            with unit_of_work(engine) as connection:
                row = take(
                    connection,
                    now=clock.now(),
                    wall=wall.now(),
                    channels=frozenset(channels),
                    skip=unreachable,
                )
            if row is None:
                break
            if isinstance(row, Ending):
                report.count(row.state, row.why)
                continue
            outcome = _try(row, channels[row.channel], settings, clock)
            with unit_of_work(engine) as connection:
                state = record(connection, row, outcome, now=clock.now(), wall=wall.now())
            report.count(state, outcome.detail)
            if outcome.result is Result.UNREACHABLE:
                log.warning("the %s channel is unreachable: %s", row.channel, outcome.detail)
                unreachable.add(row.channel)
    return report


def open_channels(settings: Settings) -> dict[str, Channel]:
    """Every channel the settings configure, by name. Nothing is connected to yet."""
    channels: dict[str, Channel] = {ChannelName.EMAIL: SmtpChannel(settings)}
    if settings.twilio_account_sid and settings.twilio_auth_token and settings.twilio_from:
        # the SDK is slow to import: only where it is used
        from tinko_pipelines.core.notifications.sms import TwilioChannel  # noqa: PLC0415

        channels[ChannelName.SMS] = TwilioChannel(settings)
    return channels


def _try(row: Taken, channel: Channel, settings: Settings, clock: Clock) -> Delivery:
    try:
        envelope = write(row, settings, clock)
    except MessageBroken as error:
        log.error("outbox row %s cannot be written: %s", row.id, error.detail)
        return Delivery(Result.REFUSED, True, error.detail)
    return channel.send(envelope)


def write(row: Taken, settings: Settings, clock: Clock) -> Envelope:
    """The message of `row`, its link signed now. Raises MessageBroken, SettingsError."""
    now = clock.now()
    timezone = row.timezone or "UTC"
    expires_at = link_expiry(now, timezone)
    claims = LinkClaims(row.org_id, row.case_id, row.obligation_id, expires_at)
    merchant = row.merchant or settings.smtp_from
    facts = payment_link_facts(
        language=row.language,
        merchant=merchant,
        amount=Money(row.outstanding_minor or 0, row.currency or "XXX"),
        reason=row.payload.get("reason"),
        link=pay_url(make_token(claims, settings), row.language, settings),
        expires_at=expires_at,
        timezone=timezone,
        description=row.description,
        payer_name=row.payer_name,
    )
    content = render(row.message, row.language, facts)
    return Envelope(str(row.id), row.recipient, merchant, row.language, now, content)
