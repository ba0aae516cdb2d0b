"""When an action's time comes, on the wall clock of a zone. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tinko_pipelines.core.rules.actions import Deciding, RetryAt, RetryIn, Wait
from tinko_pipelines.core.rules.values import minute_of
from tinko_pipelines.core.rules.vocabulary import Zone


def moment(
    action: Deciding, now: datetime, org_zone: str, payer_zone: str | None = None
) -> datetime | None:
    """The instant (UTC) that `retry_at`, `retry_in` or `wait` name, counted from `now`.

    None: the action names none (windows are the policy's to find), or its instant has passed.
    An unknown zone of the payer is the organisation's.
    """
    if isinstance(action, RetryIn | Wait):
        return now + action.duration
    if not isinstance(action, RetryAt):
        return None
    if action.instant is not None:
        return action.instant.astimezone(UTC) if action.instant >= now else None
    assert action.time is not None
    zone = payer_zone if action.zone is Zone.PAYER and payer_zone else org_zone
    return next_time(now, minute_of(action.time), zone)


def next_time(now: datetime, minute: int, zone: str) -> datetime:
    """The first instant (UTC), not before `now`, at which the zone's clock shows `minute`.

    A time that a change of clocks leaves out comes with the first instant after the gap; one that
    comes twice is its first.
    """
    clock = ZoneInfo(zone)
    day = now.astimezone(clock).date() - timedelta(days=1)
    while True:
        local = datetime.combine(day, time(minute // 60, minute % 60), clock)
        instant = local.astimezone(UTC)
        # in a gap, the offset before it (fold 0) leads past its end, the one after it before
        if (other := local.replace(fold=1).astimezone(UTC)) < instant:
            instant = _change(other, instant, clock)
        if instant >= now:
            return instant
        day += timedelta(days=1)


def _change(low: datetime, high: datetime, clock: ZoneInfo) -> datetime:
    """The instant between two at which the zone changes its clock, to the second."""
    before = low.astimezone(clock).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) // 2
        if middle.astimezone(clock).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
