"""The code table: one row per code, read from `codes/*.yaml`, checked, and indexed.

Which rows speak for an error, and how they combine, is decided here once; `classifier` asks for
one error, `vectorised` for millions.

1. The kinds of `MatchKind` are asked in its order, most specific first. The PSP's bare `code` is
   asked only when nothing above explains the failure.
2. The *category* is that of the most specific row that explains. A row without a category is
   advice only: it says what to do, not why.
3. The *advice* is that of the most specific row, except that a weaker advice never overrides a
   stronger one (`AdviceFacts.strength`): a network's "try later" does not undo a PSP's "stolen".
4. `generic` codes are wrappers (`card_declined`, `BAD_REQUEST_ERROR`). Beside a reason or decline
   code we do not know they say nothing, and the failure stays `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.failures.taxonomy import (
    ADVICE,
    CATEGORIES,
    Category,
    RetryAdvice,
    WhoActs,
)


class MatchKind(StrEnum):
    """Which field of an error a row is compared with, most specific first."""

    NETWORK_ADVICE_CODE = "network_advice_code"
    NETWORK_DECLINE_CODE = "network_decline_code"
    REASON = "reason"
    DECLINE_CODE = "decline_code"
    ADVICE_CODE = "advice_code"
    CODE = "code"
    DEFAULT = "default"


NETWORK_KINDS = (MatchKind.NETWORK_ADVICE_CODE, MatchKind.NETWORK_DECLINE_CODE)
UNKNOWN_CONFIDENCE = 0.1


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code and what it means. `owner` is the PSP, or the network for the network kinds.

    `late_authorisation`: timeout-like, so the payment may still be authorised and no new order or
    link is opened for 5 days (DESIGN.md, rule 6). `source` and `date`: where the rule comes from.
    """

    id: str
    kind: MatchKind
    owner: str
    code: str
    category: Category | None
    retry_advice: RetryAdvice
    who_acts: WhoActs
    confidence: float
    source: str
    date: date
    error_source: str = ""
    error_step: str = ""
    late_authorisation: bool = False
    generic: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.confidence <= 1:
            raise SettingsError(f"{self.id}: confidence {self.confidence} is not in [0, 1]")
        hard = self.category is not None and CATEGORIES[self.category].hard
        if hard and not ADVICE[self.retry_advice].hard:
            raise SettingsError(f"{self.id}: {self.category} is hard, {self.retry_advice} is not")
        if self.generic and self.kind is not MatchKind.CODE:
            raise SettingsError(f"{self.id}: only a row of kind code can be generic")
        if (self.error_source or self.error_step) and self.kind is not MatchKind.REASON:
            raise SettingsError(f"{self.id}: only a reason can be narrowed by source or step")

    @property
    def strength(self) -> int:
        """How hard this row's advice is to override (`AdviceFacts.strength`)."""
        return ADVICE[self.retry_advice].strength


DEFAULT_ROW = CodeRow(
    id="default.unknown",
    kind=MatchKind.DEFAULT,
    owner="",
    code="",
    category=Category.UNKNOWN,
    retry_advice=RetryAdvice.CAUTIOUS,
    who_acts=WhoActs.NOBODY,
    confidence=UNKNOWN_CONFIDENCE,
    source="own default: few retries and contact until somebody maps the code",
    date=date(2026, 11, 1),
)


class CodeTable:
    """Rows by what they match. Keys are lower case; a network also answers to its other names.

    Raises SettingsError when two rows match the same thing.
    """

    def __init__(
        self, rows: Iterable[CodeRow], networks: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        self.rows: tuple[CodeRow, ...] = (DEFAULT_ROW, *rows)
        self.networks = {name: (name, *others) for name, others in (networks or {}).items()}
        self.index: dict[MatchKind, dict[tuple[str, ...], int]] = {kind: {} for kind in MatchKind}
        for number, row in enumerate(self.rows):
            index = self.index[row.kind]
            for owner in self.networks.get(row.owner, (row.owner,)):
                key: tuple[str, ...] = (owner, row.code)
                if row.kind is MatchKind.REASON:
                    key += (row.error_source, row.error_step)
                if key in index:
                    raise SettingsError(f"two rows match {row.kind} {key}: {row.id}")
                index[key] = number

    def find(self, kind: MatchKind, *key: str) -> CodeRow | None:
        """The row of `kind` for these words, which must be lower case and trimmed."""
        number = self.index[kind].get(key)
        return None if number is None else self.rows[number]


def decides(held: CodeRow | None, specific: CodeRow | None) -> CodeRow | None:
    """Which of two rows gives the advice; `specific` is the more specific one (point 3)."""
    if held is None or specific is None:
        return specific or held
    return specific if specific.strength >= held.strength else held


def explains(held: CodeRow | None, specific: CodeRow | None) -> CodeRow | None:
    """Which of two rows gives the category; `specific` is the more specific one (point 2)."""
    return specific if specific is not None and specific.category is not None else held


def parse_rows(document: Any) -> list[CodeRow]:
    """Rows of one parsed YAML file of `codes/`. Raises SettingsError naming the wrong row."""
    rows = []
    for group in document:
        owner = group.get("psp") or group["network"]
        kind = MatchKind(group["kind"])
        for entry in group["rows"]:
            narrowing = "".join(
                f"@{name}={entry[f'error_{name}']}"
                for name in ("source", "step")
                if f"error_{name}" in entry
            )
            identity = f"{owner}.{kind}.{entry['code']}{narrowing}"
            try:
                rows.append(_parse_row(identity, owner, kind, group, entry))
            except (KeyError, ValueError, TypeError) as error:
                raise SettingsError(f"{identity}: {error!r}") from error
    return rows


def _parse_row(
    identity: str, owner: str, kind: MatchKind, group: dict[str, Any], entry: dict[str, Any]
) -> CodeRow:
    fields = dict(entry)
    category = fields.pop("category", None)
    return CodeRow(
        id=identity,
        kind=kind,
        owner=owner,
        code=fields.pop("code").lower(),
        category=None if category is None else Category(category),
        retry_advice=RetryAdvice(fields.pop("retry_advice")),
        who_acts=WhoActs(fields.pop("who_acts")),
        source=group["source"],
        date=group["date"],
        **fields,
    )


@cache
def default_table() -> CodeTable:
    """The table shipped with the package."""
    folder = files("tinko_pipelines.core.failures") / "codes"

    def read(name: str) -> Any:
        return yaml.safe_load((folder / name).read_text(encoding="utf-8"))

    rows = [row for name in CODE_FILES for row in parse_rows(read(name))]
    return CodeTable(rows, read("networks.yaml"))


CODE_FILES = ("network.yaml", "stripe.yaml", "razorpay.yaml")
