"""What can go wrong between the ledger and ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.exceptions import ClickHouseError

from tinko_pipelines.core.errors import TinkoError


class AnalyticsUnavailable(TinkoError):
    """ClickHouse did not answer or refused. Nothing is lost: the next run carries it."""

    code, status, title = "analytics_unavailable", 503, "ClickHouse did not do what was asked"


class AnalyticsSchemaChanged(TinkoError):
    """A file of DDL that was applied before has other statements now."""

    code, status, title = "analytics_schema_changed", 500, "Applied ClickHouse DDL was edited"


class WatermarkAhead(TinkoError):
    """The watermark lies past the database's transactions: another cluster wrote it."""

    code, status, title = "watermark_ahead", 500, "The sink's watermark is not of this database"


class DbtFailed(TinkoError):
    """dbt ended with an error or a failed test; the detail names each node."""

    code, status, title = "dbt_failed", 500, "dbt did not succeed"


@contextmanager
def reaching_clickhouse(what: str) -> Iterator[None]:
    """Turn the driver's errors into AnalyticsUnavailable that says what was being done."""
    try:
        yield
    except (ClickHouseError, OSError) as error:
        raise AnalyticsUnavailable(f"{what}: {error}") from error
