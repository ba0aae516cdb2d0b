"""Versions of policies as they are stored, and what a running case is pinned to."""

from __future__ import annotations

import json
import uuid
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.recovery.policy import DEFAULT_POLICY, Policy
from tinko_pipelines.core.rules.model import NO_RULES, RuleSet
from tinko_pipelines.core.rules.store import rules_as_of


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One stored version. The newest is the one that new cases are opened with."""

    id: uuid.UUID
    version: int
    policy: Policy
    created_at: datetime


def current_policy(connection: Connection, org_id: uuid.UUID, now: datetime) -> uuid.UUID:
    """The organisation's newest policy version; version 1 is the default, made when missing."""
    _ensure(connection, org_id, now)
    found = connection.scalar(query("recovery", "current_policy"), {"org_id": org_id})
    return uuid.UUID(str(found))


def policy_versions(
    connection: Connection, org_id: uuid.UUID, now: datetime
) -> list[PolicyVersion]:
    """Every version of the organisation's policy, newest first; there is at least the default."""
    _ensure(connection, org_id, now)
    rows = connection.execute(query("recovery", "policy_versions"), {"org_id": org_id})
    return [_version(row) for row in rows]


def policy_version(
    connection: Connection, org_id: uuid.UUID, policy_version_id: uuid.UUID
) -> PolicyVersion:
    """One version by its id. Raises NotFound."""
    values = {"org_id": org_id, "id": policy_version_id}
    row = connection.execute(query("recovery", "policy_version"), values).one_or_none()
    if row is None:
        raise NotFound(f"there is no policy version {policy_version_id}")
    return _version(row)


def add_policy_version(
    connection: Connection, org_id: uuid.UUID, policy: Policy, now: datetime
) -> PolicyVersion:
    """A new version: cases opened from now on are pinned to it, running ones stay on theirs.

    The same policy as the newest version's is that version: nothing is added.
    """
    connection.execute(query("recovery", "lock_policies"), {"org_id": org_id})
    newest = policy_versions(connection, org_id, now)[0]
    if newest.policy == policy:
        return newest
    made = PolicyVersion(new_id(now), newest.version + 1, policy, now)
    connection.execute(
        query("recovery", "add_policy_version"),
        {
            "id": made.id,
            "org_id": org_id,
            "version": made.version,
            "definition": policy.model_dump_json(),
            "now": now,
        },
    )
    return made


def org_timezone(connection: Connection, org_id: uuid.UUID) -> str:
    """The organisation's IANA zone."""
    return str(connection.execute(query("rules", "zone"), {"org_id": org_id}).scalar_one())


class Pinned:
    """The policy and the rules that each of some cases was opened with, read once a batch."""

    def __init__(self, connection: Connection, org_ids: Iterable[uuid.UUID]) -> None:
        self._connection = connection
        self._policies: dict[uuid.UUID, Policy] = {}
        self._rules: dict[tuple[uuid.UUID, datetime], RuleSet] = {}
        self._changes: dict[uuid.UUID, list[datetime]] = defaultdict(list)
        wanted = {"org_ids": sorted(set(org_ids))}
        for row in connection.execute(query("recovery", "rule_changes"), wanted):
            self._changes[row.org_id].append(row.created_at)

    def policy(self, case: Row[Any]) -> Policy:
        """Raises pydantic.ValidationError where the stored definition cannot be read."""
        known = self._policies.get(case.policy_version_id)
        if known is None:
            known = Policy.model_validate_json(json.dumps(case.definition))
            self._policies[case.policy_version_id] = known
        return known

    def rules(self, case: Row[Any]) -> RuleSet:
        """Those in force when the case was opened (business time)."""
        changes = self._changes.get(case.org_id, [])
        place = bisect_right(changes, case.opened_at)
        if place == 0:
            return NO_RULES
        key = (case.org_id, changes[place - 1])
        if key not in self._rules:
            self._rules[key] = rules_as_of(self._connection, *key)
        return self._rules[key]


def _ensure(connection: Connection, org_id: uuid.UUID, now: datetime) -> None:
    connection.execute(
        query("recovery", "ensure_policy"),
        {
            "id": new_id(now),
            "org_id": org_id,
            "definition": DEFAULT_POLICY.model_dump_json(),
            "now": now,
        },
    )


def _version(row: Row[Any]) -> PolicyVersion:
    policy = Policy.model_validate_json(json.dumps(row.definition))
    return PolicyVersion(row.id, row.version, policy, row.created_at)
