"""Stripe's form encoding, read back: `a[b][0]=c` becomes {"a": {"b": ["c"]}}."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from tinko_pipelines.sandbox.stripe.errors import missing, wrong

_PARTS = re.compile(r"[^\[\]]+|\[\]")
Params = dict[str, Any]


def parse(encoded: str) -> Params:
    """The nested parameters of a query string or a form body; all leaves are text."""
    root: Params = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        parts = _PARTS.findall(name)
        here = root
        for part in parts[:-1]:
            inner = here.setdefault(_key(part, here), {})
            if not isinstance(inner, dict):
                raise wrong(name, "Invalid object")
            here = inner
        here[_key(parts[-1], here)] = value
    return {name: _lists(value) for name, value in root.items()}


def _key(part: str, into: Params) -> str:
    return str(len(into)) if part == "[]" else part


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(item) for name, item in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def integer(params: Params, name: str, default: int | None = None, least: int = 0) -> int:
    """A whole number of at least `least`. Raises StripeError when missing or malformed."""
    raw = params.get(name)
    if raw is None:
        if default is None:
            raise missing(name)
        return default
    try:
        number = int(raw)
    except (TypeError, ValueError):
        raise wrong(name, f"Invalid integer: {raw}") from None
    if number < least:
        raise wrong(name, f"This value must be greater than or equal to {least}.")
    return number


def flag(params: Params, name: str, default: bool = False) -> bool:
    """A boolean, as `true` or `false`."""
    raw = params.get(name)
    if raw is None or raw == "":
        return default
    if raw not in ("true", "false"):
        raise wrong(name, f"Invalid boolean: {raw}")
    return bool(raw == "true")


def text(params: Params, name: str) -> str:
    """A text that must be there."""
    raw = params.get(name)
    if not isinstance(raw, str) or not raw:
        raise missing(name)
    return raw


def table(params: Params, name: str) -> dict[str, Any]:
    """An object such as metadata; empty when it is not there."""
    raw = params.get(name)
    if raw in (None, ""):
        return {}
    if not isinstance(raw, dict):
        raise wrong(name, "Invalid object")
    return raw


def rows(params: Params, name: str) -> list[Any]:
    """A list; empty when it is not there."""
    raw = params.get(name)
    if raw in (None, ""):
        return []
    return raw if isinstance(raw, list) else [raw]
