"""ClickHouse and dbt, as CLICKHOUSE_URL says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics import dbt, sink
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.errors import Node


class ClickHouseResource(dg.ConfigurableResource):
    """The analytics store. A client is made per step: a run may outlive a restart of the server."""

    @contextmanager
    def client(self) -> Iterator[Client]:
        """A client for one step. Raises AnalyticsUnavailable."""
        client = ClickHouseAddress.from_settings().client()
        try:
            yield client
        finally:
            client.close()

    def build(self, select: str) -> list[Node]:
        """dbt in this process, on this store. Raises DbtFailed."""
        return dbt.build(select)

    def document(self) -> Path:
        """dbt's pages about this store, as one file of HTML. Raises DbtFailed."""
        return dbt.document()


@dg.definitions
def resources() -> dg.Definitions:
    # a sink type that is not built yet stops the start, not the first run
    sink.enabled()
    return dg.Definitions(resources={"clickhouse": ClickHouseResource()})
