"""The limits as typed rows of limits.yaml: read, checked, and found for an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tinko_pipelines.core.canonical import dumps
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.guards import calendar_kinds, cycle_kinds, kinds
from tinko_pipelines.core.guards.kinds import Holds, Kind, Params
from tinko_pipelines.core.guards.model import Facts
from tinko_pipelines.core.settings import get_settings

LIMITS = Path(__file__).with_name("limits.yaml")
KINDS: dict[str, Kind] = {
    "rolling_cap": Kind(kinds.RollingCap, kinds.rolling_cap),
    "never_after": Kind(kinds.Codes, kinds.never_after),
    "wait_after": Kind(kinds.Waits, kinds.wait_after),
    "obligation_cap": Kind(kinds.ObligationCap, kinds.obligation_cap),
    "amount_cap": Kind(kinds.AmountCap, kinds.amount_cap),
    "late_authorisation": Kind(kinds.LateAuthorisation, kinds.late_authorisation),
    "one_at_a_time": Kind(kinds.OneAtATime, kinds.one_at_a_time),
    "notice": Kind(kinds.Notice, kinds.notice),
    "local_window": Kind(calendar_kinds.LocalWindow, calendar_kinds.local_window),
    "before_cycle_end": Kind(calendar_kinds.BeforeCycleEnd, calendar_kinds.before_cycle_end),
    "one_per_cycle": Kind(cycle_kinds.OnePerCycle, cycle_kinds.one_per_cycle),
    "banking_day": Kind(calendar_kinds.BankingDay, calendar_kinds.banking_day),
}
# what of the facts a row's scope may name; `not_…` excludes
SCOPES = (
    "psp",
    "method",
    "network",
    "country",
    "currency",
    "merchant_country",
    "merchant_category",
    "notice_required",
)
_NOT = "not_"
_SCOPE_OF = attrgetter(*SCOPES)


class Row(BaseModel):
    """One row as it is written. `checked`: the day its source was read; `certainty`: whether the
    source is the rule itself, somebody's word of it, or our own choice; `note`: what it means, for
    whoever asks why an attempt was refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$")
    kind: str
    scope: dict[str, list[str | bool]] = Field(min_length=1)
    params: dict[str, Any]
    since: date
    until: date | None = None
    source: str = Field(min_length=8)
    checked: date
    certainty: Literal["rule", "reported", "own"]
    note: str = Field(min_length=4)

    @model_validator(mode="after")
    def sound(self) -> Row:
        if self.kind not in KINDS:
            raise ValueError(f"nothing evaluates the kind {self.kind}")
        for name, values in self.scope.items():
            if name.removeprefix(_NOT) not in SCOPES:
                raise ValueError(f"no attempt has a {name}")
            if not values:
                raise ValueError(f"the scope {name} is empty")
            # Norway, unquoted, is `false` to YAML
            flag = name.removeprefix(_NOT) == "notice_required"
            if any(isinstance(value, bool) is not flag for value in values):
                raise ValueError(f"the scope {name} holds {values}")
        if self.until is not None and self.until <= self.since:
            raise ValueError("until is not after since")
        return self


@dataclass(frozen=True, slots=True)
class Limit:
    """One effective-dated row: in force in [since, until), midnights in UTC.

    `written` is the whole row as JSON takes it, `text` its canonical JSON.
    """

    row: Row
    params: Params
    scope: Mapping[str, frozenset[str | bool]]
    since: datetime
    until: datetime | None
    holds: Holds = field(repr=False)
    written: Mapping[str, Any] = field(repr=False)
    text: str = field(repr=False)

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def kind(self) -> str:
        return self.row.kind

    @property
    def source(self) -> str:
        return self.row.source

    def in_force(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)

    def covers(self, facts: Facts) -> bool:
        """Whether the row speaks of this attempt."""
        for name, values in self.scope.items():
            negated = name.startswith(_NOT)
            if (getattr(facts, name.removeprefix(_NOT)) in values) is negated:
                return False
        return True

    def document(self, since: datetime, until: datetime) -> str:
        """`text` as it is kept for attempts in [since, until]: with the holidays of those days."""
        if not isinstance(self.params, calendar_kinds.BankingDay):
            return self.text
        return dumps({**self.written, "params": _plain(self.params.fixed(since, until))})


def _plain(params: Params) -> dict[str, Any]:
    """Parameters as JSON, sets in order."""
    said = params.model_dump(mode="json", exclude_none=True)
    sets = {name for name in said if isinstance(getattr(params, name), frozenset)}
    return {name: sorted(value) if name in sets else value for name, value in said.items()}


def limit(written: Mapping[str, Any]) -> Limit:
    """The limit that a row says. Raises SettingsError naming the row and what is wrong with it."""
    try:
        row = Row.model_validate(written)
        params = KINDS[row.kind].params.model_validate(
            {name: _as_sets(KINDS[row.kind].params, name, value)
             for name, value in row.params.items()}
        )  # fmt: skip
    except ValidationError as error:
        name = written.get("id") if isinstance(written, Mapping) else written
        said = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'row'}: {one['msg']}" for one in error.errors()
        )
        raise SettingsError(f"limit {name}: {said}") from None
    whole = row.model_dump(mode="json", exclude_none=True) | {"params": _plain(params)}
    return Limit(
        row=row,
        params=params,
        scope={name: frozenset(values) for name, values in row.scope.items()},
        since=_midnight(row.since),
        until=None if row.until is None else _midnight(row.until),
        holds=KINDS[row.kind].holds,
        written=whole,
        text=dumps(whole),
    )


def _as_sets(params: type[Params], name: str, value: Any) -> Any:
    known = params.model_fields.get(name)
    if known is not None and known.annotation == frozenset[str] and isinstance(value, list):
        return frozenset(value)
    return value


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def read_limits(text: str) -> tuple[Limit, ...]:
    """The rows of a YAML list, in their order. Raises SettingsError naming the bad one."""
    written = yaml.safe_load(text)
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise SettingsError("limits are a list of rows")
    found = tuple(limit(one) for one in written)
    ids = [one.id for one in found]
    for name in ids:
        if ids.count(name) > 1:
            raise SettingsError(f"limit {name}: two rows have this id")
    return found


@cache
def limits() -> tuple[Limit, ...]:
    """All rows of limits.yaml with the operator's over them (GUARD_LIMITS_FILE), read once."""
    ours = read_limits(LIMITS.read_text(encoding="utf-8"))
    path = get_settings().guard_limits_file
    if not path:
        return ours
    try:
        theirs = read_limits(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, SettingsError) as error:
        said = error.detail if isinstance(error, SettingsError) else error
        raise SettingsError(f"GUARD_LIMITS_FILE {path}: {said}") from None
    return overlaid(ours, theirs)


def overlaid(ours: Iterable[Limit], theirs: Iterable[Limit]) -> tuple[Limit, ...]:
    """`ours` in their order, each replaced by the one of `theirs` with its id; then the others."""
    instead = {one.id: one for one in theirs}
    kept = [instead.pop(one.id, one) for one in ours]
    return (*kept, *instead.values())


class Book:
    """Rows with the ones that cover an attempt kept at hand, by what a scope can name."""

    def __init__(self, rows: Iterable[Limit]) -> None:
        self.rows = tuple(rows)
        self._found: dict[tuple[Any, ...], tuple[Limit, ...]] = {}
        never = [one.params for one in self.rows if isinstance(one.params, kinds.Codes)]
        # codes after which an instrument is never charged again: as long as it lives
        self.never_decline = sorted({code for one in never for code in one.network_decline_code})
        self.never_advice = sorted({code for one in never for code in one.network_advice_code})

    def covering(self, facts: Facts) -> tuple[Limit, ...]:
        """The rows that speak of this attempt, in force or not."""
        key = _SCOPE_OF(facts)
        found = self._found.get(key)
        if found is None:
            found = tuple(one for one in self.rows if one.covers(facts))
            self._found[key] = found
        return found


@cache
def book() -> Book:
    """limits() as a book."""
    return Book(limits())


def covering(facts: Facts, rows: Sequence[Limit] | Book | None = None) -> Sequence[Limit]:
    """Those of `rows`, of limits.yaml where none are given, that speak of this attempt."""
    if rows is None:
        rows = book()
    if isinstance(rows, Book):
        return rows.covering(facts)
    return [one for one in rows if one.covers(facts)]
