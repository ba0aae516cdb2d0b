"""Why an attempt of ours was made: what was known, what was decided, and what allowed it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.archival.gone import raise_if_archived
from tinko_pipelines.core.canonical import dumps, to_json, to_plain
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import NotFound, TinkoError
from tinko_pipelines.core.guards.evidence import Evidence, read_evidence
from tinko_pipelines.core.recovery.case import CaseView
from tinko_pipelines.core.recovery.replay import (
    Replay,
    broken,
    read_inputs,
    replay_decision,
    replay_verdict,
    rules_of,
    stored_answer,
)


class Whose(StrEnum):
    """Whose limits a decision is made again by. Until November 2026 a decision kept none of its
    own, nor the bank holidays it knew: it is held against the nearest there is, and may differ."""

    DECISION = "decision"
    SUBMISSION = "submission"
    TODAY = "today"


@dataclass(frozen=True, slots=True)
class Explanation:
    """`decision` None: nobody decided it (it is not ours); `verdict` None: nothing was sent.

    `view` and `evidence` are what each was made on, None where it cannot be read any more;
    `limits` whose the decision was made again by.
    """

    attempt: Row[Any]
    view: CaseView | None
    limits: Whose | None
    decision: Replay | None
    evidence: Evidence | None
    verdict: Replay | None

    @property
    def same(self) -> bool:
        """Every answer that was stored comes out the same today."""
        return all(one.same for one in (self.decision, self.verdict) if one is not None)


def explain_attempt(connection: Connection, attempt_id: uuid.UUID) -> Explanation:
    """Replay the decision behind an attempt, and the verdict that let it be sent.

    Both are made from stored rows alone: the case as it was seen, the policy and rule versions
    and the limits it was decided under, the facts and limits it was allowed on. Raises NotFound.
    """
    attempt = connection.execute(query("explain", "attempt"), {"id": attempt_id}).one_or_none()
    if attempt is None:
        raise_if_archived(connection, "attempts", attempt_id)
        raise NotFound(f"there is no attempt {attempt_id}")
    evidence, verdict = _verdict(attempt.evidence)
    view, decision = _decision(connection, attempt, evidence)
    limits = None if decision is None else _whose(attempt, evidence)
    return Explanation(attempt, view, limits, decision, evidence, verdict)


def _verdict(document: Mapping[str, Any] | None) -> tuple[Evidence | None, Replay | None]:
    if document is None:
        return None, None
    try:
        evidence = read_evidence(document)
        return evidence, replay_verdict(evidence)
    except (ValueError, TinkoError) as error:
        return None, broken(dumps(document.get("verdict")), error)


def _decision(
    connection: Connection, attempt: Row[Any], evidence: Evidence | None
) -> tuple[CaseView | None, Replay | None]:
    if attempt.decision_id is None:
        return None, None
    stored = stored_answer(attempt.action, attempt.act_at, attempt.reasons)
    view = None
    try:
        inputs = read_inputs(attempt.inputs, attempt.policy, attempt.limits)
        view = inputs.view
        rules = rules_of(connection, attempt.org_id, inputs.rules)
        instead = None if evidence is None else evidence.rows
        return view, Replay(stored, to_json(replay_decision(inputs, rules, instead)))
    except (ValueError, TinkoError) as error:
        return view, broken(stored, error)


def _whose(attempt: Row[Any], evidence: Evidence | None) -> Whose:
    if "limits" in attempt.inputs:
        return Whose.DECISION
    return Whose.TODAY if evidence is None else Whose.SUBMISSION


def as_document(one: Explanation) -> dict[str, Any]:
    """The explanation as JSON takes it: for the API and `tinko explain --json`."""
    attempt = one.attempt
    return {
        "attempt_id": str(attempt.id),
        "obligation_id": str(attempt.obligation_id),
        "actor": attempt.actor,
        "state": attempt.state,
        "amount_minor": attempt.amount_minor,
        "currency": attempt.currency,
        "scheduled_at": to_plain(attempt.scheduled_at),
        "submitted_at": to_plain(attempt.submitted_at),
        "policy_version": attempt.policy_version,
        "decided_at": to_plain(attempt.decided_at),
        "known": to_plain(one.view),
        "decision_limits": to_plain(one.limits),
        "decision": _compared(one.decision),
        "evidence": attempt.evidence,
        "verdict": _compared(one.verdict),
        "same": one.same,
    }


def _compared(one: Replay | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"stored": json.loads(one.stored), "again": json.loads(one.again), "same": one.same}
