"""The manifest of an archived month: what was written, what it must come to, who did it. JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tinko_pipelines.core.archival.checksums import Checksums
from tinko_pipelines.core.archival.columns import Column
from tinko_pipelines.core.archival.model import ArchiveNotVerified, Target

FORMAT = 1
ROOT = "archive"


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One Parquet object: `key` in the bucket, its size and the hash of its bytes."""

    key: str
    org_id: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`checksums` are Postgres's own, and what was read back came to the same."""

    relation: str
    month: str
    low: str
    high: str
    columns: tuple[Column, ...]
    parts: tuple[StoredPart, ...]
    checksums: Checksums
    actor: str
    tool_version: str
    verified_wall: str

    @property
    def rows(self) -> int:
        return self.checksums.rows

    @property
    def size(self) -> int:
        return sum(one.bytes for one in self.parts)

    def dumps(self) -> bytes:
        said: dict[str, Any] = {
            "format": FORMAT,
            **{name: getattr(self, name) for name in ("relation", "month", "low", "high")},
            "rows": self.rows,
            "bytes": self.size,
            "columns": [
                asdict(one)
                | dict(zip(("values", "checksum"), self.checksums.values[one.name], strict=True))
                for one in self.columns
            ],
            "parts": [asdict(one) for one in self.parts],
            "actor": self.actor,
            "tool_version": self.tool_version,
            "verified_wall": self.verified_wall,
        }
        return json.dumps(said, indent=1).encode()

    @classmethod
    def loads(cls, body: bytes) -> Manifest:
        """Raises ArchiveNotVerified where it is no manifest of a format that is known here."""
        try:
            said = json.loads(body)
            if said["format"] != FORMAT:
                raise ValueError(f"format {said['format']}")
            columns = tuple(Column(one["name"], one["kind"]) for one in said["columns"])
            return cls(
                **{name: said[name] for name in ("relation", "month", "low", "high")},
                columns=columns,
                parts=tuple(StoredPart(**one) for one in said["parts"]),
                checksums=Checksums(
                    said["rows"],
                    {one["name"]: (one["values"], one["checksum"]) for one in said["columns"]},
                ),
                **{name: said[name] for name in ("actor", "tool_version", "verified_wall")},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArchiveNotVerified(f"the manifest cannot be read: {error}") from error


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def prefix(target: Target) -> str:
    """Where all of a month's objects are: `archive/table=attempts/month=2025-01/`."""
    return f"{ROOT}/table={target.relation}/month={target.month}/"


def manifest_key(target: Target) -> str:
    return f"{ROOT}/manifests/table={target.relation}/month={target.month}.json"


def part_key(target: Target, org_id: str, number: int) -> str:
    return f"{prefix(target)}org={org_id}/part-{number:04d}.parquet"


def sizes_differ(parts: Sequence[StoredPart], sizes: dict[str, int]) -> list[str]:
    """What of `parts` is not in the bucket as it was stored, and what else is there."""
    wanted = {one.key: one.bytes for one in parts}
    return [
        f"{key}: {sizes.get(key, 'nothing')} bytes against {wanted.get(key, 'nothing')}"
        for key in sorted({*wanted, *sizes})
        if wanted.get(key) != sizes.get(key)
    ]
