"""Values as JSON and back, byte for byte the same for the same value.

What a decision or a verdict was made on is stored so, and made again from it. Dataclasses are
written field by field and read by their annotations, so that a new field needs nothing here: one
that an older document lacks takes its default.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from uuid import UUID

from pydantic import BaseModel

T = TypeVar("T")
_SCALARS = (str, int, bool, float, type(None))
_PLAIN = frozenset(_SCALARS)
_BY_KIND: Mapping[type[Any], Callable[[Any], Any]] = {
    date: lambda value: value.isoformat(),
    time: lambda value: value.isoformat(),
    timedelta: lambda value: value // timedelta(microseconds=1),
    UUID: str,
    BaseModel: lambda value: value.model_dump(mode="json"),
    Mapping: lambda value: {_key(name): to_plain(one) for name, one in value.items()},
    AbstractSet: lambda value: sorted((to_plain(one) for one in value), key=dumps),
}


def dumps(value: Any) -> str:
    """Canonical JSON: keys sorted, no spaces, no escapes that are not needed, no NaN.

    What a member holds that JSON has no form for is written as to_plain() does.
    """
    return _encode(value)


def to_json(value: Any) -> str:
    """`value` as canonical JSON. Raises TypeError for a type that has no form here."""
    return dumps(to_plain(value))


def to_plain(value: Any) -> Any:
    """`value` in dicts, lists, strings, numbers, booleans and None. Instants are written in UTC."""
    kind = type(value)
    write = _WRITERS.get(kind) or _WRITERS.setdefault(kind, _writer(kind))
    return write(value)


# how values of one type are written: found out once, for there are many and of few types
_WRITERS: dict[type[Any], Callable[[Any], Any]] = {}


def _writer(kind: type[Any]) -> Callable[[Any], Any]:
    if issubclass(kind, Enum):
        return lambda value: value.value
    if issubclass(kind, _SCALARS):
        return lambda value: value
    if issubclass(kind, datetime):
        return _instant
    if dataclasses.is_dataclass(kind):
        return _field_by_field(tuple(one.name for one in dataclasses.fields(kind)))
    for known, write in _BY_KIND.items():
        if issubclass(kind, known):
            return write
    if issubclass(kind, Sequence) and not issubclass(kind, bytes):
        return lambda value: [to_plain(one) for one in value]
    return _refused


def _field_by_field(names: tuple[str, ...]) -> Callable[[Any], Any]:
    def write(value: Any) -> Any:
        plain = {name: getattr(value, name) for name in names}
        for name, one in plain.items():
            # most fields are plain already, and a call for each costs more than all else here
            if type(one) not in _PLAIN:
                plain[name] = to_plain(one)
        return plain

    return write


def _instant(value: datetime) -> str:
    if value.tzinfo is None:
        raise TypeError(f"{value} names no instant: it has no zone")
    return (value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()


def _refused(value: Any) -> Any:
    raise TypeError(f"a {type(value).__name__} has no canonical form")


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=to_plain
).encode


def _key(name: Any) -> str:
    plain = to_plain(name)
    if not isinstance(plain, str):
        raise TypeError(f"{name!r} is no name for a member")
    return plain


def from_json(wanted: type[T], text: str) -> T:
    """The `wanted` that to_json wrote. Raises ValueError where the text is not one."""
    return from_plain(wanted, json.loads(text))


def from_plain(wanted: type[T], plain: Any) -> T:
    """The `wanted` that to_plain wrote; members that no field has are passed over.

    Raises ValueError where a member is missing that has no default, or is of another type.
    """
    try:
        return cast("T", _read(wanted, plain))
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"this is no {getattr(wanted, '__name__', wanted)}: {error}") from error


def _read(wanted: Any, plain: Any) -> Any:
    origin = get_origin(wanted)
    if wanted is Any:
        return plain
    if origin in (Union, types.UnionType):
        return _read_union(get_args(wanted), plain)
    if origin is Literal:
        if plain not in get_args(wanted):
            raise TypeError(f"{plain!r} is none of {get_args(wanted)}")
        return plain
    if origin is not None:
        return _read_many(origin, get_args(wanted), plain)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        hints = _hints(wanted)
        named = [one.name for one in dataclasses.fields(wanted) if one.init and one.name in plain]
        return wanted(**{name: _read(hints[name], plain[name]) for name in named})
    if issubclass(wanted, BaseModel):
        return wanted.model_validate(plain)
    return _read_scalar(wanted, plain)


def _read_scalar(wanted: type[Any], plain: Any) -> Any:
    if issubclass(wanted, datetime | date | time):
        return wanted.fromisoformat(plain)
    if issubclass(wanted, timedelta):
        return timedelta(microseconds=plain)
    if issubclass(wanted, Enum | UUID):
        return wanted(plain)
    # True is an int to Python, and a whole float is written without its point
    if type(plain) is wanted or (wanted is float and type(plain) is int):
        return wanted(plain) if plain is not None else None
    raise TypeError(f"{plain!r} is no {wanted.__name__}")


def _read_union(choices: tuple[Any, ...], plain: Any) -> Any:
    if plain is None and type(None) in choices:
        return None
    problems = []
    for one in choices:
        if one is type(None):
            continue
        try:
            return _read(one, plain)
        except (TypeError, ValueError, KeyError) as error:
            problems.append(str(error))
    raise TypeError("; ".join(problems) or f"{plain!r} is none of {choices}")


def _read_many(origin: Any, parts: tuple[Any, ...], plain: Any) -> Any:
    if issubclass(origin, Mapping):
        return {_read(parts[0], name): _read(parts[1], one) for name, one in plain.items()}
    if issubclass(origin, tuple) and not (len(parts) == 2 and parts[1] is Ellipsis):
        return tuple(_read(part, one) for part, one in zip(parts, plain, strict=True))
    read = (_read(parts[0], one) for one in plain)
    if issubclass(origin, tuple | AbstractSet):
        return (tuple if issubclass(origin, tuple) else frozenset)(read)
    return list(read) if origin is list else tuple(read)


@cache
def _hints(wanted: type[Any]) -> dict[str, Any]:
    return get_type_hints(wanted)
