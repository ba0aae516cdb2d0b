"""Rules as somebody sends them: a name and perhaps a place around the condition and its actions."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from tinko_pipelines.core.rules.model import Rule, RuleSet
from tinko_pipelines.core.rules.reading import Fault, RuleInvalid, read_rule, read_values
from tinko_pipelines.core.rules.store import MAX_PLACE, RuleDraft
from tinko_pipelines.core.rules.values import Word
from tinko_pipelines.core.rules.vocabulary import MAX_RULES

BODY = ("when", "then")


class Head(BaseModel):
    """`place` orders rules; `version` is the one that was edited, to notice a faster editor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Word
    place: Annotated[StrictInt, Field(ge=1, le=MAX_PLACE)] | None = None
    version: Annotated[StrictInt, Field(ge=1)] | None = None


def read_draft(data: Any, max_depth: int, path: str = "") -> tuple[RuleDraft, int | None]:
    """A draft and the version it was edited from, of `{"name", "place"?, "version"?, "when",
    "then"}`. Raises RuleInvalid with every fault of both the head and the rule."""
    if not isinstance(data, Mapping):
        raise RuleInvalid([(path or "body", "an object with name, when and then")])
    faults: list[Fault] = []
    head = {key: value for key, value in data.items() if key not in BODY}
    try:
        named = read_values(Head, head, path)
    except RuleInvalid as error:
        faults += error.faults
    try:
        body = read_rule({key: data[key] for key in BODY if key in data}, max_depth, path)
    except RuleInvalid as error:
        faults += error.faults
    if faults:
        raise RuleInvalid(faults)
    return RuleDraft(named.name, body, named.place), named.version


def read_rule_set(data: Any, max_depth: int, path: str = "rules") -> RuleSet:
    """A whole set of drafts; those without a place stand where the list has them.

    Raises RuleInvalid with the faults of every rule.
    """
    if not isinstance(data, list):
        raise RuleInvalid([(path, "a list of rules")])
    if len(data) > MAX_RULES:
        raise RuleInvalid([(path, f"at most {MAX_RULES} rules")])
    faults: list[Fault] = []
    rules: list[Rule] = []
    for number, one in enumerate(data):
        try:
            draft, _ = read_draft(one, max_depth, f"{path}[{number}]")
        except RuleInvalid as error:
            faults += error.faults
            continue
        rules.append(as_rule(draft, number + 1))
    if faults:
        raise RuleInvalid(faults)
    return RuleSet(tuple(rules))


def as_rule(draft: RuleDraft, ordinal: int) -> Rule:
    """A draft that is stored nowhere: version 0, and an id made of its ordinal."""
    return Rule(uuid.UUID(int=ordinal), 0, draft.name, draft.place or ordinal, draft.body)


def with_draft(rules: RuleSet, draft: RuleDraft, instead_of: uuid.UUID | None) -> RuleSet:
    """The set with a draft instead of a rule, or added: at its place, by default the last.

    A draft that replaces a rule stands before others of the same place only as that rule did.
    """
    others = tuple(one for one in rules if one.rule_id != instead_of)
    replaced = next((one for one in rules if one.rule_id == instead_of), None)
    if replaced is not None:
        place = draft.place or replaced.place
        made = replace(replaced, version=0, name=draft.name, place=place, body=draft.body)
        return RuleSet((*others, made))
    last = max((one.place for one in rules), default=0)
    # a new rule's id would be the newest, so it comes after others of its place
    added = Rule(uuid.UUID(int=2**128 - 1), 0, draft.name, draft.place or last + 1, draft.body)
    return RuleSet((*others, added))


def without(rules: RuleSet, rule_ids: Sequence[uuid.UUID]) -> RuleSet:
    """The set as it would be with some rules deleted."""
    return RuleSet(tuple(one for one in rules if one.rule_id not in rule_ids))
