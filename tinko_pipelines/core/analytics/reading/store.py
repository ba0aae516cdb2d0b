"""ClickHouse as the API reads it: connected when first asked, within limits, left alone for a
while when it is away."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable, reaching_clickhouse
from tinko_pipelines.core.clock import WallClock

# what one figure may cost; a list of ids is part of its query's text
LIMITS: Mapping[str, int] = {
    "max_memory_usage": 512 * 2**20,
    "max_rows_to_read": 200_000_000,
    "max_result_rows": 200_000,
    "max_query_size": 2**20,
}
SECONDS = 10
PAUSE_SECONDS = 10.0


class Store:
    """The ClickHouse at `address`, which has `seconds` for each query; safe to share between
    threads."""

    def __init__(self, address: ClickHouseAddress, seconds: int = SECONDS) -> None:
        self._address = address
        self._seconds = seconds
        self._settings: dict[str, int] = {**LIMITS, "max_execution_time": seconds}
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._away_until = 0.0

    def rows(self, sql: str, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """The rows of `sql`. Raises AnalyticsUnavailable, at once while it is known to be away."""
        client = self._connected()
        with reaching_clickhouse("reading figures"):
            try:
                return client.query(
                    sql, parameters=dict(parameters), settings=self._settings
                ).result_rows
            except OperationalError:
                self._leave()
                raise

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> Client:
        # one connects, and who comes meanwhile waits for that one's answer
        with self._lock:
            if self._client is None:
                if WallClock.monotonic() < self._away_until:
                    raise AnalyticsUnavailable("ClickHouse was away a moment ago")
                try:
                    self._client = self._address.client(timeout=self._seconds + 2)
                except AnalyticsUnavailable:
                    self._away_until = WallClock.monotonic() + PAUSE_SECONDS
                    raise
            return self._client

    def _leave(self) -> None:
        with self._lock:
            self._client = None
            self._away_until = WallClock.monotonic() + PAUSE_SECONDS
