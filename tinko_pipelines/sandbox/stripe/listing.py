"""Cursor paging and `expand`, as every Stripe list and object has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tinko_pipelines.sandbox.store import Doc
from tinko_pipelines.sandbox.stripe.desk import Desk
from tinko_pipelines.sandbox.stripe.errors import invalid, no_such
from tinko_pipelines.sandbox.stripe.forms import integer, rows
from tinko_pipelines.sandbox.stripe.shapes import listing

_DEEPEST = 4


def created_span(params: dict[str, Any]) -> tuple[int | None, int | None]:
    """`created` as (since, until), both included; a bare number is that very second."""
    raw = params.get("created")
    if raw is None:
        return None, None
    if not isinstance(raw, dict):
        return int(raw), int(raw)
    since = int(raw["gte"]) if "gte" in raw else int(raw["gt"]) + 1 if "gt" in raw else None
    until = int(raw["lte"]) if "lte" in raw else int(raw["lt"]) - 1 if "lt" in raw else None
    return since, until


def page(
    desk: Desk, account: Doc, kind: str, url: str, params: dict[str, Any],
    keep: Callable[[Doc], bool] = lambda _: True,
) -> Doc:  # fmt: skip
    """A page of an account's objects, newest first: `limit`, `starting_after`, `created`."""
    store, full = desk.engine.store, kind if kind == "event" else f"stripe.{kind}"
    since, until = created_span(params)
    if params.get("ending_before"):
        raise invalid("The sandbox pages forwards only.", param="ending_before")
    after = params.get("starting_after")
    if after:
        anchor = store.get(full, after, account["id"])
        if anchor is None:
            raise no_such(kind, after, "starting_after")
        # nothing newer than the anchor can come after it
        until = min(until, anchor["created"]) if until is not None else anchor["created"]
    found = store.newest(account["id"], full, since, until)
    if after and since is not None and since > until:  # type: ignore[operator]
        found = iter(())
    return cut((doc for doc in found if keep(doc)), url, params)


def cut(found: Iterable[Doc], url: str, params: dict[str, Any]) -> Doc:
    """One page of what was found: `limit` rows after `starting_after`."""
    limit = integer(params, "limit", 10, least=1)
    if limit > 100:
        raise invalid("This value must be less than or equal to 100.", param="limit")
    after = params.get("starting_after")
    data: list[Doc] = []
    for doc in found:
        if after:
            after = None if doc["id"] == after else after
            continue
        if len(data) == limit:
            return listing(url, data, has_more=True)
        data.append(doc)
    return listing(url, data)


def expanded(desk: Desk, account: Doc, answer: Doc, params: dict[str, Any]) -> Doc:
    """The answer with each path of `expand[]` replaced by its object; nothing stored changes."""
    for path in rows(params, "expand"):
        parts = str(path).split(".")
        if len(parts) > _DEEPEST + (parts[0] == "data"):
            raise invalid("You cannot expand more than 4 levels of a property.", param="expand")
        answer = _expand(desk, account, answer, parts)
    return answer


def _expand(desk: Desk, account: Doc, at: Any, parts: list[str]) -> Any:
    if not parts or at is None:
        return at
    if isinstance(at, list):
        return [_expand(desk, account, item, parts) for item in at]
    if isinstance(at, str):
        at = desk.find(account, at) or at
    if not isinstance(at, dict):
        return at
    name, rest = parts[0], parts[1:]
    if name not in at:
        raise invalid(f"This property cannot be expanded ({name}).", param="expand")
    value = at[name]
    if isinstance(value, str):
        value = desk.find(account, value) or value
    return {**at, name: _expand(desk, account, value, rest)}
