"""Suites: for each frame the checks it is held against, read from YAML.

A check is one property. Its expectations are in Great Expectations' own words, so that a reader of
its documentation can read them; nothing of that library is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.quality.words import WORDS

FOLDER = Path(__file__).parent / "suites"
# those of the ledger, in the order their rows came to be; then those that PSPs list
LEDGER = ("obligations", "attempts", "failures", "cases")
LISTINGS = ("psp_records", "settlement_lines", "payouts")


class Severity(StrEnum):
    """`error` sets the row aside, `warn` says so and lets it be."""

    ERROR = "error"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Ask:
    """One check. `expectations` are types with their arguments, `least_rows` what it needs to say
    anything; a `parameter` in an argument stands for a value known when it is asked."""

    name: str
    frame: str
    severity: Severity
    says: str
    expectations: tuple[Mapping[str, Any], ...]
    least_rows: int = 1


@dataclass(frozen=True, slots=True)
class Suite:
    frame: str
    asks: tuple[Ask, ...]


@cache
def suite(frame: str) -> Suite:
    """The suite of a frame. Raises SettingsError where its file is malformed."""
    try:
        read = yaml.safe_load((FOLDER / f"{frame}.yaml").read_text())
        if read["frame"] != frame:
            raise ValueError(f"it is of {read['frame']}")
        return Suite(frame, tuple(_ask(frame, one) for one in read["asks"]))
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"quality/suites/{frame}.yaml is malformed: {error}") from error


def suites(frames: tuple[str, ...] = LEDGER + LISTINGS) -> tuple[Suite, ...]:
    """The suites of some frames; all by default."""
    return tuple(suite(frame) for frame in frames)


def _ask(frame: str, read: Mapping[str, Any]) -> Ask:
    unknown = set(read) - {"name", "severity", "says", "expect", "least_rows"}
    if unknown:
        raise ValueError(f"{read.get('name')}: no such member: {', '.join(sorted(unknown))}")
    return Ask(
        name=read["name"],
        frame=frame,
        severity=Severity(read["severity"]),
        says=read["says"],
        expectations=tuple(_worded(one) for one in read["expect"]),
        least_rows=read.get("least_rows", 1),
    )


def _worded(value: Any) -> Any:
    """`{words: name}` replaced by the members of that vocabulary, at any depth."""
    if isinstance(value, Mapping):
        if set(value) == {"words"}:
            return [str(word) for word in WORDS[value["words"]]]
        return {name: _worded(one) for name, one in value.items()}
    return value


def filled(value: Any, parameters: Mapping[str, Any]) -> Any:
    """`{parameter: name}` replaced by its value, at any depth; None where it is not given."""
    if isinstance(value, Mapping):
        if set(value) == {"parameter"}:
            return parameters.get(value["parameter"])
        return {name: filled(one, parameters) for name, one in value.items()}
    return value
