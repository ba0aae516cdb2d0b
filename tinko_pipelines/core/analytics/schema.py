"""The ClickHouse schema: sql/clickhouse/*.sql in order of their numbers, applied once each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics import timezones
from tinko_pipelines.core.analytics.clickhouse import DATABASE
from tinko_pipelines.core.analytics.errors import AnalyticsSchemaChanged, reaching_clickhouse
from tinko_pipelines.core.clock import WallClock

DDL = Path(__file__).resolve().parents[3] / "sql" / "clickhouse"
_VERSIONED = re.compile(r"^(\d{4})_\w+\.sql$")
_COMMENT_LINE = re.compile(r"^\s*--.*$", re.MULTILINE)
_END = re.compile(r";[ \t]*$", re.MULTILINE)

# where versions are recorded must be there before the first of them
VERSIONS_TABLE = f"""
create table if not exists {DATABASE}.schema_versions (
    version UInt32 comment 'Number of the file in sql/clickhouse',
    name String comment 'Name of that file',
    checksum FixedString(64) comment 'SHA-256 of its statements, comments and spacing aside',
    applied_at DateTime64(6, 'UTC') comment 'Wall time it was applied'
)
engine = ReplacingMergeTree(applied_at)
order by version
comment 'Files of DDL that were applied here'
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One numbered file: its statements run in order, each on its own."""

    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 of the statements; spacing does not count."""
        words = " ".join(" ".join(self.statements).split())
        return hashlib.sha256(words.encode()).hexdigest()


def statements(sql: str) -> tuple[str, ...]:
    """The statements of a file: each ends with a semicolon at the end of a line."""
    parts = _END.split(_COMMENT_LINE.sub("", sql))
    return tuple(part.strip() for part in parts if part.strip())


def versions(folder: Path = DDL) -> Iterator[Version]:
    """The numbered files of `folder`, in order."""
    for path in sorted(folder.glob("*.sql")):
        if found := _VERSIONED.match(path.name):
            yield Version(int(found[1]), path.name, statements(path.read_text()))


def apply(client: Client, folder: Path = DDL) -> list[str]:
    """Apply what was not applied yet and return the names of those files; fill in the time zones.

    Every statement is idempotent, so a run that was cut off is simply run again. Raises
    AnalyticsSchemaChanged when an applied file was edited, AnalyticsUnavailable.
    """
    with reaching_clickhouse("applying sql/clickhouse"):
        client.command(f"create database if not exists {DATABASE}")
        client.command(VERSIONS_TABLE)
        rows = client.query(
            f"select version, toString(checksum) from {DATABASE}.schema_versions final"
        ).result_rows
        applied: dict[int, str] = {int(number): str(checksum) for number, checksum in rows}
        done = []
        for version in versions(folder):
            if version.number in applied:
                _refuse_edit(version, applied[version.number])
                continue
            for statement in version.statements:
                client.command(statement)
            row = [version.number, version.name, version.checksum, WallClock().now()]
            client.insert(
                "schema_versions",
                [row],
                column_names=["version", "name", "checksum", "applied_at"],
                database=DATABASE,
            )
            done.append(version.name)
        if folder == DDL:
            timezones.fill(client)
    return done


def _refuse_edit(version: Version, checksum: str) -> None:
    if version.checksum != checksum:
        raise AnalyticsSchemaChanged(
            f"{version.name} was applied here with other statements;"
            " put the change into a new numbered file instead"
        )
