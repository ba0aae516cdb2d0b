"""One comparison each: `{"ge": 50000, "currency": "INR"}` and the like, with one operator.

Every operator but `is_missing` is false of a missing value, `ne` too: it says "known, and
another". An amount is compared within its own currency only; in any other, all are false.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StrictBool, model_validator
from pydantic import Field as Constrained

from tinko_pipelines.core.rules.values import Currency, Minor, TimeOfDay, Word, minute_of
from tinko_pipelines.core.rules.vocabulary import MAX_VALUES, Operator, Weekday, Zone

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Constrained(min_length=1, max_length=MAX_VALUES)]
OPERATORS = frozenset(Operator)


class Test(BaseModel):
    """A comparison with the one operator that was given."""

    __test__ = False  # pytest collects what is called so
    model_config = ConfigDict(frozen=True, extra="forbid")

    is_missing: StrictBool | None = None

    @model_validator(mode="after")
    def _one_operator(self) -> Test:
        given = self._given()
        if len(given) != 1:
            names = ", ".join(self.operators())
            raise ValueError(f"give exactly one operator of {names}")
        if self._value(given[0]) is None:
            raise ValueError(f"{given[0]} has no value; is_missing asks for one that is not there")
        return self

    @classmethod
    def operators(cls) -> list[Operator]:
        """The operators this kind of value has."""
        named = {field.alias or name for name, field in cls.model_fields.items()}
        return [one for one in Operator if one in named]

    def _given(self) -> list[Operator]:
        return [
            Operator(one.rstrip("_"))
            for one in self.model_fields_set
            if one.rstrip("_") in OPERATORS
        ]

    def _value(self, operator: Operator) -> Any:
        return getattr(self, "in_" if operator is Operator.IN else operator.value)

    @cached_property
    def operator(self) -> Operator:
        return self._given()[0]

    @cached_property
    def operand(self) -> Any:
        """What is compared with: a number, a text, or a tuple of them."""
        return self._value(self.operator)

    @property
    def zone(self) -> Zone:
        return Zone.ORG


class Equality(Test, Generic[T]):
    eq: T | None = None
    ne: T | None = None
    in_: Many[T] | None = Constrained(None, alias="in")


class Ordered(Equality[T], Generic[T]):
    """`between` holds both its ends."""

    lt: T | None = None
    le: T | None = None
    gt: T | None = None
    ge: T | None = None
    between: tuple[T, T] | None = None

    @model_validator(mode="after")
    def _low_before_high(self) -> Ordered[T]:
        if self.between is not None and self.between[0] > self.between[1]:  # type: ignore[operator]
            raise ValueError("between takes the lower end first")
        return self


class AmountTest(Ordered[Minor]):
    """Minor units of `currency`."""

    currency: Currency | None = None

    @model_validator(mode="after")
    def _in_a_currency(self) -> AmountTest:
        if (self.currency is None) != (self.operator is Operator.IS_MISSING):
            raise ValueError("an amount is compared in a currency: name it beside the operator")
        return self


class TimeTest(Equality[TimeOfDay]):
    """A time of day, to the minute. `between` that ends before it begins goes over midnight."""

    lt: TimeOfDay | None = None
    le: TimeOfDay | None = None
    gt: TimeOfDay | None = None
    ge: TimeOfDay | None = None
    between: tuple[TimeOfDay, TimeOfDay] | None = None
    of: Zone = Constrained(Zone.ORG, alias="zone")

    @property
    def zone(self) -> Zone:
        return self.of

    @cached_property
    def operand(self) -> Any:
        """Minutes since midnight."""
        value = self._value(self.operator)
        if isinstance(value, tuple):
            return tuple(minute_of(one) for one in value)
        return minute_of(value) if isinstance(value, str) else value


class WeekdayTest(Equality[Weekday]):
    """`mon` to `sun`."""

    of: Zone = Constrained(Zone.ORG, alias="zone")

    @property
    def zone(self) -> Zone:
        return self.of

    @cached_property
    def operand(self) -> Any:
        """ISO numbers: Monday is 1."""
        value = self._value(self.operator)
        if isinstance(value, tuple):
            return tuple(one.iso for one in value)
        return value.iso if isinstance(value, Weekday) else value


class TagTest(Test):
    """Tags of the customer. None at all is missing."""

    contains: Word | None = None
