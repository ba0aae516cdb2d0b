"""Where the ledger is carried to: what a target must do, and which ones the settings want."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics.clickhouse import DATABASE, ClickHouseAddress
from tinko_pipelines.core.analytics.errors import reaching_clickhouse
from tinko_pipelines.core.analytics.lake import Lake
from tinko_pipelines.core.analytics.relations import Relation
from tinko_pipelines.core.clock import WallClock
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.settings import Settings, get_settings


class Target(Protocol):
    """A store that is told what changed. `name` is its `sink` in sink_watermarks.

    Both methods raise AnalyticsUnavailable where the store does not do it; then nothing is lost.
    """

    @property
    def name(self) -> str: ...

    def accept(self, relation: Relation, table: pa.Table, token: str) -> None:
        """Keep rows, or tombstones, of `relation`; again under the same token adds nothing."""

    def report(self, relation: Relation, position: int, rows: int) -> None:
        """Say that all transactions below `position` are here, the last run having brought
        `rows`."""


@dataclass(frozen=True, slots=True)
class ClickHouse:
    """The tables of sql/clickhouse: rows that arrive twice replace themselves by row_version."""

    client: Client
    name: ClassVar[str] = "clickhouse"

    def accept(self, relation: Relation, table: pa.Table, token: str) -> None:
        with reaching_clickhouse(f"carrying {len(table)} rows of {relation.name}"):
            self.client.insert_arrow(
                relation.name,
                table,
                database=DATABASE,
                settings={"insert_deduplication_token": token},
            )

    def report(self, relation: Relation, position: int, rows: int) -> None:
        """For source freshness, and for the mart's own position."""
        with reaching_clickhouse(f"reporting the position of {relation.name}"):
            self.client.insert(
                "sink_positions",
                [[relation.name, position, rows, WallClock().now()]],
                column_names=["relation", "position", "row_count", "carried_at"],
                database=DATABASE,
            )


def wanted(settings: Settings | None = None) -> tuple[str, ...]:
    """The names of the targets that ANALYTICS_SINK_TYPE asks for. To be called at start-up.

    Raises SettingsError where the lake is asked for and no bucket is set.
    """
    settings = settings or get_settings()
    names = settings.analytics_sinks
    if Lake.name in names and not settings.s3_bucket:
        raise SettingsError(
            f"ANALYTICS_SINK_TYPE: {settings.analytics_sink_type} needs S3_BUCKET to be set"
        )
    return names


def opened(name: str, settings: Settings | None = None) -> AbstractContextManager[Target]:
    """The target of that name, as the settings say where it is. Raises AnalyticsUnavailable."""
    return _OPENERS[name](settings or get_settings())


@contextmanager
def _clickhouse(settings: Settings) -> Iterator[Target]:
    client = ClickHouseAddress.parse(settings.clickhouse_url).client()
    try:
        yield ClickHouse(client)
    finally:
        client.close()


@contextmanager
def _lake(settings: Settings) -> Iterator[Target]:
    # boto3 takes its time, and not every process has a lake
    from tinko_pipelines.core.archival.store import ArchiveStore  # noqa: PLC0415

    yield Lake.over(ArchiveStore.from_settings(settings))


_OPENERS: Mapping[str, Callable[[Settings], AbstractContextManager[Target]]] = {
    ClickHouse.name: _clickhouse,
    Lake.name: _lake,
}
