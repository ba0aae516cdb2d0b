"""The code table: one row per code, read from `codes/*.yaml`, checked, and indexed.

How the rows that match one failure combine is told in `coderow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.failures.coderow import DEFAULT_ROW, CodeRow, MatchKind
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice, WhoActs

__all__ = [
    "CODE_FILES",
    "DEFAULT_NETWORK",
    "DEFAULT_ROW",
    "CodeRow",
    "CodeTable",
    "MatchKind",
    "default_table",
    "parse_rows",
]

# what a two- or three-digit code means on a card network that has no row of its own for it
DEFAULT_NETWORK = "iso8583"
# networks whose codes are not ISO 8583's
OWN_CODES = frozenset({"upi"})
# libyaml where it is there, ten times faster; both are safe loaders
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CODE_FILES = (
    "iso8583.yaml",
    "cards.yaml",
    "rupay.yaml",
    "upi.yaml",
    "network_advice.yaml",
    "stripe.yaml",
    "razorpay.yaml",
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
        self._own = {spelling for name in OWN_CODES for spelling in self.spellings(name)}

    def spellings(self, network: str) -> tuple[str, ...]:
        """Every name `network` answers to, its own first."""
        return self.networks.get(network, (network,))

    def find(self, kind: MatchKind, *key: str) -> CodeRow | None:
        """The row of `kind` for these words, which must be lower case and trimmed."""
        number = self.index[kind].get(key)
        return None if number is None else self.rows[number]

    def find_decline(self, network: str, code: str) -> CodeRow | None:
        """The row of a network's decline code: the network's own, else what ISO 8583 says."""
        index = self.index[MatchKind.NETWORK_DECLINE_CODE]
        number = index.get((network, code))
        if number is None and network not in self._own:
            number = index.get((DEFAULT_NETWORK, code))
        return None if number is None else self.rows[number]


def parse_rows(document: Any) -> list[CodeRow]:
    """Rows of one parsed YAML file of `codes/`. Raises SettingsError naming the wrong row.

    A group names its `psp` or `network`, `kind`, `source` and `date`. An entry with `codes`, a
    text of codes apart by blanks, is one row for each of them.
    """
    rows = []
    for group in document:
        owner = group.get("psp") or group["network"]
        kind = MatchKind(group["kind"])
        for entry in _single(group["rows"]):
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


def _single(entries: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for entry in entries:
        if "codes" not in entry:
            yield entry
            continue
        shared = {name: value for name, value in entry.items() if name != "codes"}
        yield from ({"code": code, **shared} for code in entry["codes"].split())


def _parse_row(
    identity: str, owner: str, kind: MatchKind, group: dict[str, Any], entry: Mapping[str, Any]
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
        return yaml.load((folder / name).read_text(encoding="utf-8"), Loader=_LOADER)

    rows = [row for name in CODE_FILES for row in parse_rows(read(name))]
    return CodeTable(rows, read("networks.yaml"))
