"""The types of values in rules, each refusing what its column could never hold."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StrictInt, StrictStr

from tinko_pipelines.core.rules.vocabulary import (
    CURRENCIES,
    MAX_ATTEMPTS,
    MAX_DAYS,
    MAX_MINOR,
    MAX_TEXT,
    Weekday,
)

_COUNTRY, _TIME = re.compile(r"[A-Z]{2}"), re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")


def _printable(value: str) -> str:
    # Postgres stores neither NUL nor half a surrogate pair, and people see no other control
    if any(ord(one) < 32 or 0xD800 <= ord(one) <= 0xDFFF or ord(one) == 127 for one in value):
        raise ValueError("control characters and lone surrogates are not text")
    if value != value.strip():
        raise ValueError("no space before or after")
    return value


def _known_currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("not an ISO 4217 currency (three upper-case letters)")
    return value


def _country(value: str) -> str:
    if not _COUNTRY.fullmatch(value):
        raise ValueError("not a country's ISO 3166-1 code (two upper-case letters)")
    return value


def _time_of_day(value: str) -> str:
    if not _TIME.fullmatch(value):
        raise ValueError("not a time of day from 00:00 to 23:59, as HH:MM")
    return value


Word = Annotated[StrictStr, Field(min_length=1, max_length=MAX_TEXT), AfterValidator(_printable)]
Words = Annotated[tuple[Word, ...], Field(min_length=1, max_length=32)]
Currency = Annotated[StrictStr, AfterValidator(_known_currency)]
Country = Annotated[StrictStr, AfterValidator(_country)]
Minor = Annotated[StrictInt, Field(ge=0, le=MAX_MINOR)]
Ordinal = Annotated[StrictInt, Field(ge=1, le=MAX_ATTEMPTS)]
Days = Annotated[StrictInt, Field(ge=0, le=MAX_DAYS)]
TimeOfDay = Annotated[StrictStr, AfterValidator(_time_of_day)]


def minute_of(time: TimeOfDay) -> int:
    """Minutes since midnight of `HH:MM`."""
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def clock_face(minute: int) -> str:
    """`HH:MM` of minutes since midnight."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def weekday_of(iso: int) -> Weekday:
    """The weekday of ISO number 1 to 7."""
    return list(Weekday)[iso - 1]
