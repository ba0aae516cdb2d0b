"""ClickHouse and dbt, as CLICKHOUSE_URL says, and the lake in S3_BUCKET."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics import dbt
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.errors import Node
from tinko_pipelines.core.analytics.targets import Lake, wanted
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.defs.archival.resources import store_of


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


class LakeResource(dg.ConfigurableResource):
    """The Parquet lake, through dagster-aws's client."""

    def target(self) -> Lake:
        """The sink's target. Raises SettingsError where no bucket is set."""
        return Lake.over(store_of(get_settings()))


@dg.definitions
def resources() -> dg.Definitions:
    # a target without an address stops the start, not the first run
    wanted()
    return dg.Definitions(resources={"clickhouse": ClickHouseResource(), "lake": LakeResource()})
