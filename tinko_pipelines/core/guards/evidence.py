"""What an attempt was allowed on, written down so that the verdict can be made again from it; and
the limits of a decision, for the same reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any

from tinko_pipelines.core.canonical import dumps, from_plain, to_json
from tinko_pipelines.core.guards.calendar_kinds import BankingDay
from tinko_pipelines.core.guards.evaluate import Verdict, evaluate
from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.guards.rows import Book, Limit, covering, limit

# what rows said that were kept before each had to have a note
_NO_NOTE = {"note": "(none)"}
# equal values are written alike: whatever their zone, instants are written in UTC
_once = lru_cache(maxsize=10_000)(to_json)
# what differs between attempts; the rest of their facts is the same for many
_OWN = frozenset({"amount", "counted", "instrument_key"})
_NAMES = tuple(sorted(one.name for one in fields(Facts)))
_SHARED = tuple(name for name in _NAMES if name not in _OWN)
_shared = attrgetter(*_SHARED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """`rows` are all that speak of the attempt, in force at `at` or not."""

    at: datetime
    facts: Facts
    rows: tuple[Limit, ...]
    verdict: Verdict

    def again(self) -> Verdict:
        """The verdict made anew, from nothing but what is written here."""
        return evaluate(self.facts, self.at, self.rows)


@dataclass(frozen=True, slots=True)
class Written:
    """Evidence in canonical JSON: `document` is the attempt's own and names the `limits`, whole
    rows that thousands of attempts share, by their `digest` (SHA-256, hex)."""

    document: str
    digest: str
    limits: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Whole rows of limits in canonical JSON, and the digest (SHA-256, hex) they are kept under."""

    digest: str
    text: str


def limits_of(
    facts: Facts, since: datetime, until: datetime, rows: Sequence[Limit] | Book | None = None
) -> Kept:
    """Those of `rows`, of limits.yaml where none are given, that speak of an attempt with `facts`,
    with all that they ask of a calendar between two instants. The same text for many attempts."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    texts = [
        _dated(one.text, first, last) if isinstance(one.params, BankingDay) else one.text
        for one in covering(facts, rows)
    ]
    return _kept(f"[{','.join(texts)}]")


def evidence_of(facts: Facts, at: datetime, verdict: Verdict) -> Written:
    """What an attempt keeps: instant, facts, limits, verdict. Parts that are the same for many
    attempts are not written anew for each."""
    limits = limits_of(facts, at, at)
    counted = ",".join([_once(one) for one in facts.counted])
    known = _facts(_shared(facts)) % (facts.amount, counted, dumps(facts.instrument_key))
    said = f'"facts":{known},"limits":"{limits.digest}","verdict":{_once(verdict)}'
    return Written(f'{{"at":{_once(at)},{said}}}', limits.digest, limits.text)


@lru_cache(maxsize=1000)
def _kept(text: str) -> Kept:
    return Kept(hashlib.sha256(text.encode()).hexdigest(), text)


@lru_cache(maxsize=1000)
def _dated(text: str, first: date, last: date) -> str:
    """The row that `text` says, with the holidays of those days (UTC), both whole."""
    since = datetime.combine(first, time(), UTC)
    until = datetime.combine(last + timedelta(days=1), time(), UTC)
    return limit(json.loads(text)).document(since, until)


@lru_cache(maxsize=10_000)
def _facts(shared: tuple[Any, ...]) -> str:
    """Facts with places for those of each attempt, in the order of their names."""
    values = dict(zip(_SHARED, shared, strict=True))
    said = {name: to_json(value).replace("%", "%%") for name, value in values.items()}
    said |= {"amount": "%d", "counted": "[%s]", "instrument_key": "%s"}
    return "{" + ",".join([f'"{name}":{said[name]}' for name in _NAMES]) + "}"


def read_evidence(document: Mapping[str, Any]) -> Evidence:
    """What evidence_of wrote, as JSON was read, its limits as `rows`. Raises ValueError or
    SettingsError where it is damaged."""
    try:
        return Evidence(
            at=datetime.fromisoformat(document["at"]),
            facts=from_plain(Facts, document["facts"]),
            rows=tuple(limit(_NO_NOTE | row) for row in document["rows"]),
            verdict=from_plain(Verdict, document["verdict"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no evidence of an attempt: {error!r}") from error
