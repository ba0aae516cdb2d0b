"""Reading PSP JSON: ids mentioned anywhere, instants, and members that may be missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from tinko_pipelines.core.failures.codetable import default_table


def part(body: Any, *path: str) -> Any:
    """The member at `path`, or None where any step is missing or is no object."""
    for name in path:
        if not isinstance(body, Mapping):
            return None
        body = body.get(name)
    return body


def text(body: Any, *path: str) -> str | None:
    """The non-empty text at `path`, else None."""
    found = part(body, *path)
    return found if isinstance(found, str) and found else None


def number(body: Any, *path: str) -> int | None:
    """The whole number at `path`, else None. PSP amounts are integers in minor units."""
    found = part(body, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def instant(body: Any, *path: str) -> datetime | None:
    """The instant of the epoch seconds at `path`; None where it is missing or 0 (Razorpay)."""
    seconds = number(body, *path)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def object_id(value: Any) -> str | None:
    """The id of a member that is an id or, expanded, the object itself."""
    return text(value, "id") if isinstance(value, Mapping) else text({"id": value}, "id")


def mentioned(body: Any, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """Every text anywhere in `body` that as a whole is an id by `pattern`, sorted, each once."""
    return tuple(sorted({found for found in _texts(body) if pattern.fullmatch(found)}))


def _texts(body: Any) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for value in body.values():
            yield from _texts(value)
    elif isinstance(body, list):
        for value in body:
            yield from _texts(value)


def header(headers: Mapping[str, str], name: str) -> str:
    """The value of a header, whatever its case; "" where it is missing."""
    return next((value for key, value in headers.items() if key.lower() == name), "")


def card_network(value: str | None) -> str | None:
    """A card network as the code tables and guards spell it (`MasterCard` is mastercard)."""
    if value is None or value.lower() == "unknown":
        return None
    return _spellings().get(value.lower(), value.lower())


@cache
def _spellings() -> Mapping[str, str]:
    return {
        spelling: name
        for name, all_of_it in default_table().networks.items()
        for spelling in all_of_it
    }


MOST_TAGS = 20


def tags(body: Any, where: str) -> tuple[str, ...] | None:
    """The merchant's words for this payer: `tinko_tags` of `where`, parted by commas."""
    said = text(body, where, "tinko_tags")
    if said is None:
        return None
    words = (word.strip() for word in said.split(","))
    return tuple(dict.fromkeys(word for word in words if word))[:MOST_TAGS]


def country(said: str | None) -> str | None:
    """ISO 3166-1 alpha-2 in upper case, or None for anything else."""
    code = (said or "").strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None
