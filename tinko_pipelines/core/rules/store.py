"""Rules in Postgres: versions are only ever added, and the newest of each rule counts.

Everything runs in the caller's transaction, which row-level security ties to one organisation.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, InvalidInput, NotFound
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.rules.model import Rule, RuleBody, RuleSet
from tinko_pipelines.core.rules.vocabulary import MAX_RULES

MAX_PLACE = 1_000_000


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """A rule as somebody wants it. `place` None: where it stands, or after all others."""

    name: str
    body: RuleBody
    place: int | None = None


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One stored version. `place` orders rules; `created_by` names who made this version."""

    rule_id: uuid.UUID
    version: int
    name: str
    place: int
    deleted: bool
    body: RuleBody
    created_by: str | None
    created_at: datetime

    @property
    def rule(self) -> Rule:
        return Rule(self.rule_id, self.version, self.name, self.place, self.body)


@dataclass(frozen=True, slots=True)
class RuleStore:
    """The rules of one organisation. `by` is who changes them, `now` business time."""

    connection: Connection
    org_id: uuid.UUID

    def current(self, *, deleted: bool = False) -> list[RuleVersion]:
        """The newest version of each rule in order of place; deleted ones only when asked for."""
        return [one for one in self._newest() if deleted or not one.deleted]

    def get(self, rule_id: uuid.UUID) -> RuleVersion:
        """The newest version, also of a deleted rule. Raises NotFound."""
        return self.versions(rule_id)[0]

    def versions(self, rule_id: uuid.UUID) -> list[RuleVersion]:
        """Every version, newest first. Raises NotFound."""
        values = {"org_id": self.org_id, "rule_id": rule_id}
        found = [
            _version(row) for row in self.connection.execute(query("rules", "versions"), values)
        ]
        if not found:
            raise NotFound(f"there is no rule {rule_id}")
        return found

    def save(self, draft: RuleDraft, by: str | None, now: datetime) -> RuleVersion:
        """A new rule at `draft.place`, by default after all others. Raises InvalidInput when
        there are as many rules as there may be."""
        self._lock()
        there = self.current()
        self._room(len(there))
        last = max((one.place for one in there), default=0)
        place = draft.place or min(last + 1, MAX_PLACE)
        return self._add(RuleVersion(new_id(now), 1, draft.name, place, False, draft.body, by, now))

    def edit(
        self,
        rule_id: uuid.UUID,
        draft: RuleDraft,
        by: str | None,
        now: datetime,
        of_version: int | None = None,
    ) -> RuleVersion:
        """A new version of a rule. `of_version` is the one that was edited.

        Raises NotFound, and Conflict for a deleted rule or when somebody was faster.
        """
        newest = self._writable(rule_id)
        if newest.deleted:
            raise Conflict("the rule is deleted; restore it first")
        if of_version is not None and of_version != newest.version:
            raise Conflict(
                f"version {of_version} was edited, but {newest.version} is the newest by now",
                version=newest.version,
            )
        return self._after(
            newest, by, now, name=draft.name, body=draft.body, place=draft.place or newest.place
        )

    def delete(self, rule_id: uuid.UUID, by: str | None, now: datetime) -> RuleVersion:
        """Take a rule out of force; its versions stay. Raises NotFound, Conflict."""
        newest = self._writable(rule_id)
        if newest.deleted:
            raise Conflict("the rule is deleted already")
        return self._after(newest, by, now, deleted=True)

    def restore(
        self, rule_id: uuid.UUID, version: int | None, by: str | None, now: datetime
    ) -> RuleVersion:
        """Bring back a deleted rule, or what an older version said, as a new version.

        Raises NotFound for a rule or version that is not there, Conflict when nothing would change.
        """
        newest = self._writable(rule_id)
        wanted = newest
        if version is not None:
            found = [one for one in self.versions(rule_id) if one.version == version]
            if not found:
                raise NotFound(f"rule {rule_id} has no version {version}")
            wanted = found[0]
        if not newest.deleted and wanted.version == newest.version:
            raise Conflict("this version is in force already")
        if newest.deleted:
            self._room(len(self.current()))
        return self._after(newest, by, now, name=wanted.name, body=wanted.body, deleted=False)

    def reorder(
        self, rule_ids: Sequence[uuid.UUID], by: str | None, now: datetime
    ) -> list[RuleVersion]:
        """Give the rules in force places 1, 2, … in this order; moved ones get a new version.

        Raises InvalidInput unless every rule in force is named once.
        """
        self._lock()
        there = {one.rule_id: one for one in self.current()}
        if len({*rule_ids}) != len(rule_ids) or {*rule_ids} != {*there}:
            raise InvalidInput("name every rule that is in force, each once, in the new order")
        for place, rule_id in enumerate(rule_ids, 1):
            if there[rule_id].place != place:
                there[rule_id] = self._after(there[rule_id], by, now, place=place)
        return [there[rule_id] for rule_id in rule_ids]

    def as_of(self, at: datetime | None = None) -> RuleSet:
        """The rules in force at an instant of business time, by default the newest."""
        return RuleSet(tuple(one.rule for one in self._newest(at) if not one.deleted))

    def _newest(self, at: datetime | None = None) -> list[RuleVersion]:
        values = {"org_id": self.org_id, "at": at}
        return [_version(row) for row in self.connection.execute(query("rules", "newest"), values)]

    def _lock(self) -> None:
        self.connection.execute(query("rules", "lock"), {"org_id": self.org_id})

    def _writable(self, rule_id: uuid.UUID) -> RuleVersion:
        self._lock()
        return self.get(rule_id)

    def _room(self, there: int) -> None:
        if there >= MAX_RULES:
            raise InvalidInput(f"an organisation has up to {MAX_RULES} rules; delete one first")

    def _after(
        self, newest: RuleVersion, by: str | None, now: datetime, **changes: Any
    ) -> RuleVersion:
        made = {"version": newest.version + 1, "created_by": by, "created_at": now}
        return self._add(replace(newest, **(made | changes)))

    def _add(self, version: RuleVersion) -> RuleVersion:
        self.connection.execute(
            query("rules", "add_version"),
            {
                "id": new_id(version.created_at),
                "org_id": self.org_id,
                "rule_id": version.rule_id,
                "version": version.version,
                "name": version.name,
                "place": version.place,
                "deleted": version.deleted,
                "definition": json.dumps(version.body.document()),
                "by": version.created_by,
                "now": version.created_at,
            },
        )
        return version


def rules_as_of(connection: Connection, org_id: uuid.UUID, at: datetime) -> RuleSet:
    """The rules of an organisation in force at `at` (business time)."""
    return RuleStore(connection, org_id).as_of(at)


def _version(row: Row[Any]) -> RuleVersion:
    return RuleVersion(
        rule_id=row.rule_id,
        version=row.version,
        name=row.name,
        place=row.place,
        deleted=row.deleted,
        body=RuleBody.model_validate(row.definition),
        created_by=row.created_by,
        created_at=row.created_at,
    )
