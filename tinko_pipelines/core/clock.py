"""Two clocks (DESIGN.md, rule 16).

`Clock` is business time: created, due, windows, guards, link expiry, ids. In production it is
the wall; in the demo it is one Postgres row (epoch, rate, frozen) that every process reads.
`WallClock` is for signatures, tokens, sessions, rate limits, leases, timeouts and the age of
idempotency keys. Neither is `now()` in SQL.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import psycopg


class Clock(Protocol):
    """Business time."""

    def now(self) -> datetime:
        """The present business instant, aware, in UTC."""
        ...

    def rate(self) -> float:
        """Business seconds per wall second; 1.0 in production, 0.0 while frozen."""
        ...


class WallClock:
    """Real time. Also a `Clock`: in production business time is wall time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def rate(self) -> float:
        return 1.0

    @staticmethod
    def monotonic() -> float:
        """Seconds that never go back, for leases and timeouts within one process."""
        return time.monotonic()


@dataclass
class FixedClock:
    """A clock that stands until it is moved. For tests and pure replays."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    def rate(self) -> float:
        return 0.0

    def advance(self, by: timedelta) -> None:
        self.instant += by


@dataclass(frozen=True, slots=True)
class ClockRow:
    """The row of `business_clock`: at wall instant `anchor` the business instant was `epoch`."""

    epoch: datetime
    anchor: datetime
    rate: float
    frozen: bool

    def at(self, wall: datetime) -> datetime:
        """Business time at `wall`. It never passes the wall: signature checks look at the wall."""
        if self.frozen:
            return min(self.epoch, wall)
        # in seconds first: a fast clock left alone for long would pass the last date there is
        ahead = (wall - self.anchor).total_seconds() * self.rate
        if ahead >= (wall - self.epoch).total_seconds():
            return wall
        return self.epoch + timedelta(seconds=ahead)

    def rate_at(self, wall: datetime) -> float:
        """The rate in force: once business time has met the wall, it is 1."""
        if self.frozen:
            return 0.0
        return 1.0 if self.at(wall) >= wall else self.rate


READ_CLOCK = "select epoch, anchor, rate, frozen from business_clock where id = 1"
WRITE_CLOCK = """
    insert into business_clock (id, epoch, anchor, rate, frozen) values (1, %s, %s, %s, %s)
    on conflict (id) do update
    set epoch = excluded.epoch, anchor = excluded.anchor,
        rate = excluded.rate, frozen = excluded.frozen
"""


@dataclass
class DatabaseClock:
    """Business time as the one row of `business_clock` says; the wall where there is no row.

    `dsn` is a libpq URL (`postgresql://…`). A running row is read again after `max_age` wall
    seconds, a frozen one at every call: its next step must be seen at once by every process.
    Raises psycopg.Error when the database cannot be read: a guess at the time would be worse.
    """

    dsn: str
    max_age: float = 0.2
    _connection: psycopg.Connection | None = field(default=None, repr=False)
    _row: ClockRow | None = field(default=None, repr=False)
    _read_at: float = field(default=float("-inf"), repr=False)

    def now(self) -> datetime:
        row, wall = self._current(), datetime.now(UTC)
        return wall if row is None else row.at(wall)

    def rate(self) -> float:
        row = self._current()
        return 1.0 if row is None else row.rate_at(datetime.now(UTC))

    def set(self, row: ClockRow) -> None:
        """Write the row. Only the demo's driver and the sandbox do; needs a role that may."""
        with self._connect().cursor() as cursor:
            cursor.execute(WRITE_CLOCK, (row.epoch, row.anchor, row.rate, row.frozen))
        self._row, self._read_at = row, time.monotonic()

    def freeze_at(self, instant: datetime) -> None:
        """Stop business time at `instant`."""
        self.set(ClockRow(instant, datetime.now(UTC), 0.0, True))

    def run_from(self, instant: datetime, rate: float) -> None:
        """Let business time run from `instant` at `rate` until it meets the wall."""
        self.set(ClockRow(instant, datetime.now(UTC), rate, False))

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.dsn, autocommit=True, connect_timeout=5)
        return self._connection

    def _current(self) -> ClockRow | None:
        frozen = self._row is not None and self._row.frozen
        if frozen or time.monotonic() - self._read_at > self.max_age:
            self._row, self._read_at = self._read(), time.monotonic()
        return self._row

    def _read(self) -> ClockRow | None:
        try:
            found = self._connect().execute(READ_CLOCK).fetchone()
        except psycopg.OperationalError:
            # the server was restarted under us: one fresh connection, then the error is real
            self.close()
            found = self._connect().execute(READ_CLOCK).fetchone()
        return None if found is None else ClockRow(found[0], found[1], float(found[2]), found[3])
