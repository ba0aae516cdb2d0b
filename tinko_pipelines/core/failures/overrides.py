"""Where merchants' own rules for failures are kept: the newest version of an organisation's in
`failure_rule_versions`, else those of PAYMENT_FAILURE_RULES.

The environment's rules hold for every organisation that has never saved any. A version without
rules is a version: it ends the environment's.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row
from sqlalchemy.exc import IntegrityError

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, InvalidInput, NotFound, SettingsError
from tinko_pipelines.core.failures.override_rules import (
    Origin,
    OverrideRules,
    Overrides,
    parse_rules,
    parse_rules_text,
)
from tinko_pipelines.core.ids import new_id

ENVIRONMENT_SINCE = date(2026, 11, 1)  # the environment does not say since when


class RulesChanged(Conflict):
    code, title = "rules_changed", "Somebody saved the rules meanwhile"


@dataclass(frozen=True, slots=True)
class RulesVersion:
    """One saved version of an organisation's rules; the newest one holds."""

    version: int
    rules: OverrideRules
    created_by: str | None
    created_at: datetime


def save_rules(
    connection: Connection,
    org_id: uuid.UUID,
    document: Any,
    at: datetime,
    created_by: str | None = None,
    based_on: int | None = None,
) -> RulesVersion:
    """Save `document` as the organisation's next version.

    Raises InvalidInput that names the path of what is wrong, and RulesChanged where `based_on`,
    the version the caller saw (0: none), is no longer the newest; nothing is stored then.
    """
    rules = parse_rules(document)
    newest = connection.scalar(query("failures", "newest_rules_version"), {"org_id": org_id}) or 0
    if based_on is not None and based_on != newest:
        raise RulesChanged(f"the newest version is {newest}, not {based_on}", newest=newest)
    values = {
        "id": new_id(at),
        "org_id": org_id,
        "version": newest + 1,
        "definition": rules.model_dump_json(exclude_none=True),
        "created_by": created_by,
        "at": at,
    }
    try:
        with connection.begin_nested():
            connection.execute(query("failures", "insert_rules_version"), values)
    except IntegrityError:
        raise RulesChanged("another version was saved at the same time") from None
    return RulesVersion(newest + 1, rules, created_by, at)


def list_rules(connection: Connection, org_id: uuid.UUID) -> list[RulesVersion]:
    """Every version of the organisation's rules, newest first."""
    rows = connection.execute(query("failures", "rules_versions"), {"org_id": org_id})
    return [_version(row) for row in rows]


def read_rules(connection: Connection, org_id: uuid.UUID, version: int) -> RulesVersion:
    """One version. Raises NotFound."""
    values = {"org_id": org_id, "version": version}
    row = connection.execute(query("failures", "rules_version"), values).one_or_none()
    if row is None:
        raise NotFound(f"there is no version {version} of the rules")
    return _version(row)


def overrides_of(
    connection: Connection, org_ids: Iterable[uuid.UUID], environment: str | None
) -> Mapping[uuid.UUID, Overrides]:
    """The rules that hold for each of some organisations; none where it has none.

    `environment` is the text of PAYMENT_FAILURE_RULES.
    """
    wanted = list(dict.fromkeys(org_ids))
    rows = connection.execute(query("failures", "newest_rules"), {"org_ids": wanted})
    saved = {row.org_id: _ready(_text(row), _origin(row)) for row in rows}
    default = environment_overrides(environment)
    held = ((org, saved.get(org, default)) for org in wanted)
    return {org: rules for org, rules in held if rules}


def environment_overrides(text: str | None) -> Overrides | None:
    """The rules of PAYMENT_FAILURE_RULES, JSON. Raises SettingsError that names the path."""
    if text is None or not text.strip():
        return None
    try:
        return _ready(text, Origin(None, ENVIRONMENT_SINCE))
    except InvalidInput as error:
        raise SettingsError(f"PAYMENT_FAILURE_RULES: {error.detail}") from None


@lru_cache(maxsize=256)
def _ready(text: str, origin: Origin) -> Overrides:
    """Rules ready to match; the same object as long as they are the same version."""
    return Overrides(parse_rules_text(text), origin)


def _version(row: Row[Any]) -> RulesVersion:
    return RulesVersion(row.version, parse_rules(row.definition), row.created_by, row.created_at)


def _text(row: Row[Any]) -> str:
    return json.dumps(row.definition, sort_keys=True)


def _origin(row: Row[Any]) -> Origin:
    return Origin(row.version, row.created_at.date())
