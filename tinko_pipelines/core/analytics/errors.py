"""What can go wrong between the ledger and ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from clickhouse_connect.driver.exceptions import ClickHouseError

from tinko_pipelines.core.errors import TinkoError


@dataclass(frozen=True, slots=True)
class Node:
    """What one node of a dbt run came to. `kind`: model, test or source; wall seconds."""

    unique_id: str
    name: str
    kind: str
    status: str
    message: str
    seconds: float

    @property
    def failed(self) -> bool:
        """An error or a failed test; a node left out because of one before it did not fail."""
        return self.status in {"error", "fail", "runtime error", "partial success"}


class AnalyticsUnavailable(TinkoError):
    """ClickHouse or the lake's S3 did not answer or refused. Nothing is lost: the next run carries
    it."""

    code, status, title = "analytics_unavailable", 503, "Analytics did not do what was asked"


class AnalyticsSchemaChanged(TinkoError):
    """A file of DDL that was applied before has other statements now."""

    code, status, title = "analytics_schema_changed", 500, "Applied ClickHouse DDL was edited"


class WatermarkAhead(TinkoError):
    """The watermark lies past the database's transactions: another cluster wrote it."""

    code, status, title = "watermark_ahead", 500, "The sink's watermark is not of this database"


class DbtFailed(TinkoError):
    """dbt ended with an error or a failed test. The detail names each; `nodes` are all that ran."""

    code, status, title = "dbt_failed", 500, "dbt did not succeed"

    def __init__(self, detail: str, nodes: Sequence[Node] = ()) -> None:
        super().__init__(detail)
        self.nodes = tuple(nodes)


@contextmanager
def reaching_clickhouse(what: str) -> Iterator[None]:
    """Turn the driver's errors into AnalyticsUnavailable that says what was being done."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise AnalyticsUnavailable(f"{what}: {error}") from error
