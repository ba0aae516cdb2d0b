"""What the calendar does to money: paydays come round, and issuers have bad hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from tinko_pipelines.sandbox.draws import Draws

HOUR, DAY = 3600, 86400


@lru_cache(maxsize=65536)
def pay_cycle(rule: str, hour: int) -> tuple[int, int]:
    """The paydays around the hour `hour` (epoch hours): the last one, and the next one.

    Money lands at 05:00 UTC. Rules: a day of the month, `last` working day, other `fridays`.
    """
    at = hour * HOUR
    today = datetime.fromtimestamp(at, UTC).date()
    days = sorted(_paydays(rule, today))
    stamps = [
        int(datetime(day.year, day.month, day.day, 5, tzinfo=UTC).timestamp()) for day in days
    ]
    since = max(stamp for stamp in stamps if stamp <= at)
    return since, min(stamp for stamp in stamps if stamp > at)


def _paydays(rule: str, today: date) -> list[date]:
    if rule == "fridays":
        friday = date(2024, 1, 5)
        passed = (today - friday).days // 14
        return [friday + timedelta(days=14 * (passed + n)) for n in (-1, 0, 1, 2)]
    found = []
    for offset in (-2, -1, 0, 1, 2):
        index = today.year * 12 + today.month - 1 + offset
        year, month = index // 12, index % 12 + 1
        if rule == "last":
            after = date(year + month // 12, month % 12 + 1, 1)
            day = after - timedelta(days=1)
            while day.weekday() > 4:
                day -= timedelta(days=1)
            found.append(day)
        else:
            found.append(date(year, month, int(rule)))
    return found


def issuer_down(draws: Draws, issuer: str, at: int) -> bool:
    """Whether the issuer has an outage at `at`: some days one window of one to seven hours."""
    day = at // DAY
    for candidate in (day - 1, day):
        if draws.chance(0.22, issuer, "outage", candidate):
            begin = candidate * DAY + draws.between(0, 86399, issuer, "outage from", candidate)
            length = draws.between(HOUR, 7 * HOUR, issuer, "outage length", candidate)
            if begin <= at < begin + length:
                return True
    return False
