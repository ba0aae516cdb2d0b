"""Errors as ClickHouse's HTTP interface says them: a code, a text, and a status for clients."""

from __future__ import annotations

import re
from dataclasses import dataclass

# codes as in ClickHouse's ErrorCodes.cpp
UNKNOWN_TABLE = 60
SYNTAX_ERROR = 62
NOT_IMPLEMENTED = 48
READONLY = 164
TOO_MANY_SIMULTANEOUS_QUERIES = 202
ACCESS_DENIED = 497
AUTHENTICATION_FAILED = 516
CANNOT_DECOMPRESS = 271
STD_EXCEPTION = 1001

# statuses as in ClickHouse's exceptionCodeToHTTPStatus; every other code is a 500
_STATUS: dict[int, int] = {
    **dict.fromkeys((6, 26, 27, 38, 41, 43, 53, 62, 69, 70, 72, 117, 130, 131, 167, 168, 271), 400),
    AUTHENTICATION_FAILED: 403,
    ACCESS_DENIED: 403,
    **dict.fromkeys((46, 47, 50, 56, 60, 63, 73, 78, 81, 115), 404),
    159: 408,
    223: 413,
    NOT_IMPLEMENTED: 501,
    TOO_MANY_SIMULTANEOUS_QUERIES: 503,
    439: 503,
}
_CODE = re.compile(r"Code: (\d+)\. ")


@dataclass
class EngineError(Exception):
    """A refused or failed query. `text` is what the client reads, `code` ClickHouse's number."""

    code: int
    text: str

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 500)


def refused(code: int, name: str, why: str) -> EngineError:
    """An error of our own in the engine's words: `Code: 62. DB::Exception: … (SYNTAX_ERROR)`."""
    return EngineError(code, f"Code: {code}. DB::Exception: {why} ({name})")


def from_engine(text: str) -> EngineError:
    """The engine's own message, with its code read out of it."""
    found = _CODE.search(text)
    return EngineError(int(found[1]) if found else STD_EXCEPTION, text.strip())
