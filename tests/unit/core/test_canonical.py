"""Canonical JSON: one text for one value, and the value back from the text."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tinko_pipelines.core.canonical import from_json, from_plain, to_json, to_plain


class Colour(StrEnum):
    RED = "red"


class Model(BaseModel):
    amount: int


@dataclass(frozen=True, slots=True)
class Inner:
    at: datetime
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Outer:
    amount: int
    inner: Inner
    many: tuple[Inner, ...] = ()
    pair: tuple[str, int] = ("a", 1)
    named: dict[str, int] = field(default_factory=dict)
    colour: Colour | None = None
    day: date | None = None
    clock: time | None = None
    span: timedelta | None = None
    id: uuid.UUID | None = None
    share: float = 0.5
    flag: bool = False
    kind: Literal["one", "two"] = "one"
    model: Model | None = None
    anything: Any = None


INSTANTS = st.datetimes(timezones=st.just(UTC))
NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001
VALUES = st.builds(
    Outer,
    amount=st.integers(),
    inner=st.builds(Inner, INSTANTS, st.frozensets(st.text(max_size=3), max_size=3)),
    many=st.lists(st.builds(Inner, INSTANTS), max_size=2).map(tuple),
    pair=st.tuples(st.text(max_size=3), st.integers()),
    named=st.dictionaries(st.text(max_size=3), st.integers(), max_size=3),
    colour=st.sampled_from([None, Colour.RED]),
    day=st.none() | st.dates(),
    clock=st.none() | st.times(),
    span=st.none() | st.timedeltas(timedelta(-9), timedelta(9)),
    id=st.none() | st.uuids(),
    share=st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    kind=st.sampled_from(["one", "two"]),
    model=st.none() | st.builds(Model, amount=st.integers()),
    anything=st.none() | st.lists(st.integers() | st.text(max_size=2), max_size=2),
)


@given(VALUES)
def test_a_value_comes_back_and_has_one_text(value):
    text = to_json(value)
    again = from_json(Outer, text)
    assert again == value
    assert to_json(again) == text


def test_one_instant_has_one_text_whatever_its_zone():
    india = datetime(2026, 9, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert to_json(Inner(india)) == to_json(Inner(india.astimezone(UTC)))
    assert to_json(Inner(india)) == '{"at":"2026-09-01T06:30:00+00:00","words":[]}'


def test_names_are_in_order_and_letters_stay_letters():
    assert to_json({"b": 1, "a": "₹"}) == '{"a":"₹","b":1}'


def test_a_field_that_an_old_document_lacks_takes_its_default():
    plain = to_plain(Outer(1, Inner(datetime(2026, 1, 1, tzinfo=UTC))))
    del plain["share"], plain["pair"]
    plain["since gone"] = 1
    assert from_plain(Outer, plain).share == 0.5


@pytest.mark.parametrize("value", [NAIVE, object(), b"bytes", float("nan"), {1: 2}, {None: 1}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        to_json(value)


@pytest.mark.parametrize(
    "change",
    [{"amount": "1"}, {"amount": 1.5}, {"amount": True}, {"amount": None}, {"inner": {}},
     {"inner": None}, {"pair": ["a"]}, {"pair": ["a", 1, 2]}, {"colour": "blue"},
     {"kind": "three"}, {"id": "no"}, {"day": "2026-13-01"}, {"flag": 1}, {"model": {"amount": []}},
     {"many": 3}],
)  # fmt: skip
def test_a_damaged_document_is_refused(change):
    plain = to_plain(Outer(1, Inner(datetime(2026, 1, 1, tzinfo=UTC))))
    with pytest.raises(ValueError):  # noqa: PT011 (its words differ)
        from_plain(Outer, plain | change)
