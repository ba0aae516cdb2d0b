"""UUIDv7 made from business time (DESIGN.md, rule 15): partitions go by id, so by month."""

from __future__ import annotations

import os
import threading
import uuid
from datetime import UTC, datetime, timedelta


class _Sequence:
    """Counts the ids of one millisecond, so that ids of one process ascend."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millis = -1
        self._count = 0

    def next(self, millis: int) -> int:
        """12 bits: past them the order starts over, uniqueness stays with the random bits."""
        with self._lock:
            if millis == self._millis:
                self._count = (self._count + 1) & 0xFFF
            else:
                # half of the room is left to count up in
                self._millis, self._count = millis, int.from_bytes(os.urandom(2)) & 0x7FF
            return self._count


_sequence = _Sequence()


def new_id(at: datetime) -> uuid.UUID:
    """A UUIDv7 (RFC 9562) of the instant `at`; ids of one process and millisecond ascend."""
    millis = int(at.timestamp() * 1000)
    counter = _sequence.next(millis)
    random = int.from_bytes(os.urandom(8)) & (1 << 62) - 1
    return uuid.UUID(int=millis << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random)


def id_floor(at: datetime) -> uuid.UUID:
    """The smallest id of the instant `at`: the bound of a partition or of a range of time."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def id_time(value: uuid.UUID) -> datetime:
    """The business instant a UUIDv7 was made at, to the millisecond, in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value.int >> 80)
