"""What routes of rules take, read with the path of every fault; and how OpenAPI shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from api.rules.schemas import FactsIn
from tinko_pipelines.core.rules.drafts import read_draft, read_rule_set, with_draft, without
from tinko_pipelines.core.rules.model import RuleSet
from tinko_pipelines.core.rules.past import MOST_FAILURES
from tinko_pipelines.core.rules.reading import RuleInvalid, read_values
from tinko_pipelines.core.rules.vocabulary import MAX_RULES

Forbid = ConfigDict(extra="forbid")


class RestoreIn(BaseModel):
    """`version`: the one whose words come back, by default the newest."""

    model_config = Forbid
    version: Annotated[StrictInt, Field(ge=1)] | None = None


class OrderIn(BaseModel):
    """Every rule in force, in the order they are to be asked."""

    model_config = Forbid
    rule_ids: Annotated[list[UUID], Field(max_length=MAX_RULES)]


class EvaluateIn(BaseModel):
    """`rules`: drafts to ask instead of the rules in force."""

    model_config = Forbid
    facts: FactsIn
    rules: Any = None


class BacktestIn(BaseModel):
    """One of: `rules` (a whole new set), `rule` (a draft, instead of `rule_id` or added), or
    `without` (rules taken out)."""

    model_config = Forbid
    rules: Any = None
    rule: Any = None
    rule_id: UUID | None = None
    without: Annotated[list[UUID], Field(min_length=1, max_length=MAX_RULES)] | None = None
    limit: Annotated[StrictInt, Field(ge=1, le=MOST_FAILURES)] = MOST_FAILURES


def read_backtest(data: Any, in_force: RuleSet, max_depth: int) -> tuple[RuleSet, int]:
    """The set to compare with the rules in force, and the row limit. Raises RuleInvalid."""
    asked = read_values(BacktestIn, data)
    given = [name for name in ("rules", "rule", "without") if getattr(asked, name) is not None]
    if len(given) != 1:
        raise RuleInvalid([("body", "give exactly one of rules, rule and without")])
    if asked.rule_id is not None and asked.rule is None:
        raise RuleInvalid([("rule_id", "goes with rule: the rule that the draft replaces")])
    _known(in_force, [asked.rule_id] if asked.rule_id else asked.without or [], given[0])
    if asked.rules is not None:
        return read_rule_set(asked.rules, max_depth), asked.limit
    if asked.without is not None:
        return without(in_force, asked.without), asked.limit
    draft, _ = read_draft(asked.rule, max_depth, "rule")
    return with_draft(in_force, draft, asked.rule_id), asked.limit


def _known(in_force: RuleSet, wanted: list[UUID], given: str) -> None:
    there = {one.rule_id for one in in_force}
    if missing := [str(one) for one in wanted if one not in there]:
        path = "without" if given == "without" else "rule_id"
        raise RuleInvalid([(path, f"not in force: {', '.join(missing)}")])


def shown(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """A request body in OpenAPI, for a route that reads it itself."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {
        "requestBody": {
            "required": bool(required),
            "content": {"application/json": {"schema": schema}},
        }
    }


def _component(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


# as the answer shows them: a tree there is a tree here
_RULE = {
    "name": {"type": "string", "maxLength": 200},
    "place": {"type": "integer", "minimum": 1},
    "version": {"type": "integer", "minimum": 1, "description": "the version that was edited"},
    "when": {"oneOf": [_component(name) for name in ("All", "AnyOf", "Not", "Leaf")]},
    "then": {"type": "array", "items": {"type": "object"}, "minItems": 1},
}
_DRAFT = {"type": "object", "properties": _RULE, "required": ["name", "when", "then"]}
_DRAFTS = {"type": "array", "items": _DRAFT, "maxItems": MAX_RULES}
_ID = {"type": "string", "format": "uuid"}
_IDS = {"type": "array", "items": _ID}

RULE = shown(_RULE, "name", "when", "then")
RESTORE = shown({"version": {"type": "integer", "minimum": 1}})
ORDER = shown({"rule_ids": _IDS}, "rule_ids")
EVALUATE = shown({"facts": FactsIn.model_json_schema(), "rules": _DRAFTS}, "facts")
BACKTEST = shown(
    {
        "rules": _DRAFTS,
        "rule": _DRAFT,
        "rule_id": _ID,
        "without": _IDS,
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_FAILURES},
    }
)
