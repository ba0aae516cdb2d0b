"""What an attempt was allowed on, written down so that the verdict can be made again from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tinko_pipelines.core.canonical import from_plain, to_json
from tinko_pipelines.core.guards.evaluate import Verdict, evaluate
from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.guards.rows import Limit, covering, limit


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
    """The canonical JSON that is stored with an attempt: instant, facts, whole rows, verdict."""
    rows = ",".join([row.document(at) for row in covering(facts)])
    # what dumps() would write of all: the rows, which are most of it, are not written anew
    return (
        f'{{"at":{to_json(at)},"facts":{to_json(facts)},"rows":[{rows}],'
        f'"verdict":{to_json(verdict)}}}'
    )


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
