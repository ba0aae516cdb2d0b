"""What an attempt was allowed on, written down so that the verdict can be made again from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any

from tinko_pipelines.core.canonical import dumps, from_plain, to_json
from tinko_pipelines.core.guards.evaluate import Verdict, evaluate
from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.guards.rows import Limit, covering, limit

# equal values are written alike: whatever their zone, instants are written in UTC
_once = lru_cache(maxsize=10_000)(to_json)
_NAMES = sorted(one.name for one in fields(Facts))
_BEFORE, _AFTER = (
    [name for name in _NAMES if name < "counted"],
    [name for name in _NAMES if name > "counted"],
)


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


def evidence_of(facts: Facts, at: datetime, verdict: Verdict) -> str:
    """The canonical JSON that is stored with an attempt: instant, facts, whole rows, verdict.

    What dumps() would write of all. But rows, verdicts and what a card has seen are the same for
    many attempts, and are not written anew for each.
    """
    rows = ",".join([row.document(at) for row in covering(facts)])
    return (
        f'{{"at":{_once(at)},"facts":{_facts(facts)},"rows":[{rows}],"verdict":{_once(verdict)}}}'
    )


def _facts(facts: Facts) -> str:
    counted = ",".join([_once(one) for one in facts.counted])
    before, after = _part(facts, _BEFORE), _part(facts, _AFTER)
    return f'{before[:-1]},"counted":[{counted}],{after[1:]}'


def _part(facts: Facts, names: Sequence[str]) -> str:
    return dumps({name: getattr(facts, name) for name in names})


def read_evidence(document: Mapping[str, Any]) -> Evidence:
    """What evidence_of wrote, as JSON was read. Raises ValueError or SettingsError where it is
    damaged."""
    try:
        return Evidence(
            at=datetime.fromisoformat(document["at"]),
            facts=from_plain(Facts, document["facts"]),
            rows=tuple(limit(row) for row in document["rows"]),
            verdict=from_plain(Verdict, document["verdict"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no evidence of an attempt: {error!r}") from error
