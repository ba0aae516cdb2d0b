"""UUIDv7 made from business time (DESIGN.md, rule 15): partitions go by id, so by month."""

from __future__ import annotations

import os
import threading
import uuid
from datetime import UTC, datetime, timedelta

_lock = threading.Lock()
_last = (0, 0)


def new_id(at: datetime) -> uuid.UUID:
    """A UUIDv7 (RFC 9562) of the instant `at`; ids of one process and millisecond ascend."""
    global _last
    millis = int(at.timestamp() * 1000)
    with _lock:
        counter = _last[1] + 1 if millis == _last[0] else int.from_bytes(os.urandom(2)) & 0x7FF
        # 12 bits of counter; past them the order within the millisecond starts over, uniqueness
        # stays with the 62 random bits below
        _last = (millis, counter & 0xFFF)
        counter &= 0xFFF
    random = int.from_bytes(os.urandom(8)) & (1 << 62) - 1
    return uuid.UUID(int=millis << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | random)


def id_floor(at: datetime) -> uuid.UUID:
    """The smallest id of the instant `at`: the bound of a partition or of a range of time."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def id_time(value: uuid.UUID) -> datetime:
    """The business instant a UUIDv7 was made at, to the millisecond, in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value.int >> 80)
