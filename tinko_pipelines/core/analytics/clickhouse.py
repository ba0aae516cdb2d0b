"""Where ClickHouse is: CLICKHOUSE_URL in parts, for our own client and for dbt's profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics.errors import reaching_clickhouse
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.settings import get_settings

# the DDL, dbt's sources and the analysts' grants all name it
DATABASE = "tinko"
PORTS = {"http": 8123, "https": 8443}


@dataclass(frozen=True, slots=True)
class ClickHouseAddress:
    """The parts of `http(s)://user:password@host:port/tinko`."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    secure: bool = False

    @classmethod
    def parse(cls, url: str) -> ClickHouseAddress:
        """Raises SettingsError, without the URL's secrets, when `url` is no such address."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"CLICKHOUSE_URL: {error}") from None
        if parts.scheme not in PORTS or not parts.hostname:
            raise SettingsError("CLICKHOUSE_URL: must be http(s)://user:password@host:port/tinko")
        if parts.path.strip("/") not in ("", DATABASE):
            raise SettingsError(f"CLICKHOUSE_URL: the database must be {DATABASE}")
        return cls(
            host=parts.hostname,
            port=port or PORTS[parts.scheme],
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            secure=parts.scheme == "https",
        )

    @classmethod
    def from_settings(cls) -> ClickHouseAddress:
        """The address that CLICKHOUSE_URL gives."""
        return cls.parse(get_settings().clickhouse_url)

    def client(self, *, timeout: float = 60.0) -> Client:
        """A client whose calls end after `timeout` seconds. Raises AnalyticsUnavailable.

        It names no session, so that calls from several threads do not queue behind each other.
        """
        with reaching_clickhouse(f"connecting to {self.host}:{self.port}"):
            return clickhouse_connect.get_client(
                host=self.host,
                port=self.port,
                username=self.user,
                password=self.password,
                secure=self.secure,
                connect_timeout=5,
                send_receive_timeout=timeout,
                autogenerate_session_id=False,
            )

    def dbt_env(self) -> dict[str, str]:
        """The variables that dbt_project/profiles.yml reads."""
        return {
            "TINKO_DBT_HOST": self.host,
            "TINKO_DBT_PORT": str(self.port),
            "TINKO_DBT_USER": self.user,
            # the prefix lets dbt keep the value out of its logs and its manifest
            "DBT_ENV_SECRET_TINKO_PASSWORD": self.password,
            "TINKO_DBT_SECURE": str(self.secure),
            "DO_NOT_TRACK": "1",
        }
