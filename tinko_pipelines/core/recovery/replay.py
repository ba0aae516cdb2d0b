"""Make a stored decision again from what it was made on, and a stored verdict from its evidence."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from tinko_pipelines.core.canonical import dumps, from_plain, to_json, to_plain
from tinko_pipelines.core.errors import TinkoError
from tinko_pipelines.core.guards.evidence import Evidence
from tinko_pipelines.core.guards.rows import Limit, limit
from tinko_pipelines.core.recovery.case import CaseView, Decision
from tinko_pipelines.core.recovery.decide import decide
from tinko_pipelines.core.recovery.policy import Policy
from tinko_pipelines.core.rules.model import RuleSet
from tinko_pipelines.core.rules.store import RuleStore


@dataclass(frozen=True, slots=True)
class Replay:
    """An answer as it was stored and as it comes out now, both as canonical JSON."""

    stored: str
    again: str

    @property
    def same(self) -> bool:
        """Byte for byte."""
        return self.stored == self.again


@dataclass(frozen=True, slots=True)
class DecisionInputs:
    """All that decide() was given. `rules` are ids and versions in force then; `limits` None: it
    was made before decisions kept theirs."""

    view: CaseView
    policy: Policy
    now: datetime
    rules: tuple[tuple[uuid.UUID, int], ...]
    limits: tuple[Limit, ...] | None


def read_inputs(
    inputs: Mapping[str, Any],
    policy: Mapping[str, Any],
    limits: Sequence[Mapping[str, Any]] | None,
) -> DecisionInputs:
    """The inputs of a row of `decisions`, with the rows that are kept under the digest they name.
    Raises ValueError or SettingsError where they are damaged."""
    try:
        if "limits" in inputs and limits is None:
            raise ValueError(f"limits {inputs['limits']} are not kept as they were")
        return DecisionInputs(
            view=from_plain(CaseView, inputs["view"]),
            policy=Policy.model_validate(policy),
            now=datetime.fromisoformat(inputs["now"]),
            rules=tuple((uuid.UUID(rule), int(version)) for rule, version in inputs["rules"]),
            limits=None if limits is None else tuple(limit(row) for row in limits),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no decision's input: {error!r}") from error


def rules_of(
    connection: Connection, org_id: uuid.UUID, wanted: Iterable[tuple[uuid.UUID, int]]
) -> RuleSet:
    """The versions of rules that were in force. Raises NotFound or ValueError where one is gone."""
    store = RuleStore(connection, org_id)
    found = []
    for rule_id, version in wanted:
        versions = {one.version: one for one in store.versions(rule_id)}
        if version not in versions:
            raise ValueError(f"rule {rule_id} has no version {version}")
        found.append(versions[version].rule)
    return RuleSet(tuple(found))


def stored_answer(action: str, act_at: datetime | None, reasons: Mapping[str, Any]) -> str:
    """A row of `decisions` as the canonical JSON of its Decision."""
    at = None if act_at is None else act_at.astimezone(UTC)
    return dumps({"action": action, "at": to_plain(at), **reasons})


def replay_decision(
    inputs: DecisionInputs, rules: RuleSet, instead: Sequence[Limit] | None = None
) -> Decision:
    """The decision made anew, by the limits it kept. One that kept none: by these `instead`, or
    by today's."""
    limits = instead if inputs.limits is None else inputs.limits
    return decide(inputs.view, inputs.policy, inputs.now, rules, limits)


def replay_verdict(evidence: Evidence) -> Replay:
    """The guards' verdict made anew from the stored facts and rows alone."""
    return Replay(to_json(evidence.verdict), to_json(evidence.again()))


def broken(stored: str, error: ValueError | TinkoError) -> Replay:
    """What could not be made again is not the same."""
    return Replay(stored, dumps({"error": str(error)}))
