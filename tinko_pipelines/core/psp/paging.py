"""One answer of a listing, and where to go on after it: what makes a long listing resumable.

A cursor is the adapter's own, fit for JSON and good for the same span alone. Listings go from new
to old and a span's objects keep their place, so what is read after a cursor is what was not read
before it; what is read twice is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tinko_pipelines.core.psp.records import PspRecord
from tinko_pipelines.core.psp.settlement import Payout, SettlementLine

Cursor = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Objects of a span as `observe_object` reads them, and the records among what was listed."""

    bodies: tuple[Mapping[str, Any], ...]
    records: tuple[PspRecord, ...]
    after: Cursor


@dataclass(frozen=True, slots=True)
class SettlementPage:
    """Payouts, or lines of the balance."""

    payouts: tuple[Payout, ...]
    lines: tuple[SettlementLine, ...]
    after: Cursor


def from_stream(streams: Iterable[T], cursor: Cursor | None) -> Iterator[tuple[T, Any]]:
    """The streams of a listing that are still to be read, each with where to go on in it.

    `cursor` is {"stream": …, "after": …}, None to begin; one that names no stream begins too.
    """
    todo = list(streams)
    named = cursor["stream"] if cursor else None
    if cursor is None or named not in todo:
        yield from ((one, None) for one in todo)
        return
    at = todo.index(named)
    yield todo[at], cursor.get("after")
    yield from ((one, None) for one in todo[at + 1 :])
