"""The way in for rules from outside: shape, depth and size first, then every value.

Each fault is told with its path in the document, as `when.all[2].not.amount.ge`. The walk keeps
its own stack, so a hostile tree costs no recursion; pydantic sees only what has passed it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tinko_pipelines.core.errors import InvalidInput
from tinko_pipelines.core.rules.actions import contradiction
from tinko_pipelines.core.rules.model import BRANCHES, RuleBody
from tinko_pipelines.core.rules.vocabulary import MAX_CONDITIONS, Do, Field

MOST_FAULTS = 20  # told at once
Model = TypeVar("Model", bound=BaseModel)
Fault = tuple[str, str]  # path, message
FIELDS, ACTIONS = frozenset[str](Field), frozenset[str](Do)


class RuleInvalid(InvalidInput):
    """A rule cannot be taken as it is. `extra["errors"]`: `{path, message}` of each fault."""

    code, title = "rule_invalid", "The rule is not valid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        told = [{"path": path, "message": message} for path, message in faults[:MOST_FAULTS]]
        lines = "; ".join(f"{one['path']}: {one['message']}" for one in told)
        super().__init__(lines, errors=told)


def read_rule(data: Any, max_depth: int, path: str = "") -> RuleBody:
    """The rule in a JSON value `{"when": …, "then": […]}`; `path` is put before every path.

    `max_depth` counts nested conditions: one comparison alone is 1 (RULES_DEFAULT_MAX_DEPTH).
    Raises RuleInvalid.
    """
    at = f"{path}." if path else ""
    if not isinstance(data, Mapping):
        raise RuleInvalid([(path or "rule", f"an object with when and then, not {_kind(data)}")])
    faults = [
        *((f"{at}{key}", "is missing") for key in ("when", "then") if key not in data),
        *((f"{at}{_short(key)}", "is unknown") for key in data if key not in ("when", "then")),
    ]
    if not faults:
        faults = [
            *_tree_faults(data["when"], max_depth, f"{at}when"),
            *_action_faults(data["then"], f"{at}then"),
        ]
    if faults:
        raise RuleInvalid(faults)
    return read_values(RuleBody, data, path)


def read_values(model: type[Model], data: Any, path: str = "") -> Model:
    """A pydantic model of a JSON value. Raises RuleInvalid, every fault with its path."""
    at = f"{path}." if path else ""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = _own(error.errors(include_url=False, include_input=False))
        faults = [(f"{at}{_path(one, data)}".rstrip("."), _message(one)) for one in details]
    raise RuleInvalid([(where or "body", message) for where, message in faults])


def _tree_faults(tree: Any, max_depth: int, path: str) -> list[Fault]:
    """What is wrong with the shape of a tree. A tree too deep or too large is walked no further."""
    faults: list[Fault] = []
    waiting: list[tuple[Any, str, int]] = [(tree, path, 1)]
    seen = 0
    while waiting:
        node, at, depth = waiting.pop()
        seen += 1
        if depth > max_depth:
            return [(at, f"conditions nest deeper than {max_depth}")]
        if seen > MAX_CONDITIONS:
            return [(path, f"more than {MAX_CONDITIONS} conditions")]
        if not isinstance(node, Mapping) or len(node) != 1:
            faults.append((at, f"one of all, any, not or a field, not {_kind(node)}"))
            continue
        key, inner = next(iter(node.items()))
        if key == "not":
            waiting.append((inner, f"{at}.not", depth + 1))
        elif key in BRANCHES:
            if not isinstance(inner, list) or not inner:
                faults.append((f"{at}.{key}", f"a list of conditions, not {_kind(inner)}"))
            elif len(inner) > MAX_CONDITIONS:
                return [(f"{at}.{key}", f"more than {MAX_CONDITIONS} conditions")]
            else:
                below = [(one, f"{at}.{key}[{n}]", depth + 1) for n, one in enumerate(inner)]
                waiting.extend(reversed(below))
        elif key not in FIELDS:
            faults.append((f"{at}.{_short(key)}", f"no such field; there are {', '.join(Field)}"))
        elif not isinstance(inner, Mapping):
            faults.append((f"{at}.{key}", f"an object with one operator, not {_kind(inner)}"))
    return faults


def _action_faults(actions: Any, path: str) -> list[Fault]:
    if not isinstance(actions, list) or not actions:
        return [(path, f"a list of actions, not {_kind(actions)}")]
    if len(actions) > len(Do):
        return [(path, f"more than {len(Do)} actions")]
    kinds: list[Do] = []
    for place, one in enumerate(actions):
        do = one.get("do") if isinstance(one, Mapping) else None
        if not isinstance(do, str) or do not in ACTIONS:
            return [(f"{path}[{place}].do", f"one of {', '.join(Do)}")]
        kinds.append(Do(do))
    found = contradiction(kinds)
    return [(f"{path}[{found[0]}]", found[1])] if found else []


def _own(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without lists that are short only because of what is wrong inside them."""
    faulty = {one["loc"][:depth] for one in details for depth in range(len(one["loc"]))}
    return [one for one in details if one["type"] != "too_short" or one["loc"] not in faulty]


def _path(error: ErrorDetails, data: Any) -> str:
    """Where an error lies, as the document spells it: the tags of unions are left out."""
    parts: list[str] = []
    here: Any = data
    *above, last = error["loc"] or ("",)
    for one in above:
        if isinstance(one, int) and isinstance(here, list):
            parts.append(f"[{one}]")
            here = here[one]
        elif isinstance(one, str) and isinstance(here, Mapping) and one in here:
            parts.append(f".{one}")
            here = here[one]
    if isinstance(last, int):
        parts.append(f"[{last}]")
    elif error["type"] == "missing" or (isinstance(here, Mapping) and last in here):
        parts.append(f".{_short(last)}")
    return "".join(parts).lstrip(".")


MESSAGES: Mapping[str, str] = {
    "int_type": "a whole number",
    "string_type": "a text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "missing": "is missing",
    "extra_forbidden": "is unknown here",
    "timezone_aware": "an instant with its offset from UTC",
}


def _message(error: ErrorDetails) -> str:
    if error["type"] == "too_short":
        return f"at least {error['ctx']['min_length']} of these"
    if error["type"] == "too_long":
        return f"at most {error['ctx']['max_length']} of these"
    told = MESSAGES.get(error["type"], error["msg"].removeprefix("Value error, "))
    return told.removeprefix("Input should be ")


_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: Any) -> str:
    """What a value is, without saying the value itself."""
    if isinstance(value, dict | list):
        many = {0: "an empty", 1: _KINDS[type(value)].split()[0]}
        noun = _KINDS[type(value)].split()[1]
        return f"{many[len(value)]} {noun}" if len(value) in many else f"{noun} of {len(value)}"
    return _KINDS.get(type(value), "that")


def _short(key: object) -> str:
    """A key from outside, fit for a line."""
    return "".join(_visible(str(key)[:40]))


def _visible(text: str) -> Iterator[str]:
    for one in text:
        yield one if one.isprintable() else "�"
