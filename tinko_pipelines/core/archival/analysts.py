"""Archived months for analysts, read by ClickHouse where they lie in S3.

One table per relation in the database `archive`, of the engine S3, over the months that are out of
the ledger. The bucket's keys are in the named collection `tinko_archive`, which only the writer
makes: ClickHouse shows them to nobody, and a reader can neither call `s3()` nor name it.
What identifies payers and their instruments is not offered, as the sink does not carry it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clickhouse_connect.driver.client import Client

from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable, reaching_clickhouse
from tinko_pipelines.core.archival import records
from tinko_pipelines.core.archival.archivist import Archivist
from tinko_pipelines.core.archival.columns import Column, read_columns
from tinko_pipelines.core.archival.manifest import ROOT
from tinko_pipelines.core.archival.model import ArchiveState
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables import PARTITIONED
from tinko_pipelines.core.errors import InvalidInput, TinkoError
from tinko_pipelines.core.settings import Settings, get_settings

DATABASE, COLLECTION = "archive", "tinko_archive"
_HIDDEN: Mapping[str, frozenset[str]] = {
    "attempts": frozenset(
        {"instrument_key", "payment_method_ref", "idempotency_key", "lease_token"}
    ),
    "inbox_events": frozenset({"body"}),
    "notification_deliveries": frozenset({"detail"}),
}
_TYPES = {
    "uuid": "Nullable(UUID)",
    "text": "Nullable(String)",
    "jsonb": "Nullable(String)",
    "bytea": "Nullable(String)",
    "text[]": "Array(String)",
    "timestamp with time zone": "Nullable(DateTime64(6, 'UTC'))",
    "bigint": "Nullable(Int64)",
    "integer": "Nullable(Int32)",
    "boolean": "Nullable(Bool)",
}
_KEYS = ("id", "org_id")


def offer(
    archivist: Archivist, client: Client | None = None, settings: Settings | None = None
) -> dict[str, list[str]]:
    """Let ClickHouse read exactly the months that are dropped; returns them by relation.

    `client` writes; it is CLICKHOUSE_URL's where none is given. Safe to run twice: call it after
    every run and restore. Raises AnalyticsUnavailable, InvalidInput where no bucket is set.
    """
    settings = settings or get_settings()
    if not settings.s3_bucket:
        raise InvalidInput("S3_BUCKET is not set: there is no archive to read")
    with unit_of_work(archivist.owner) as connection:
        months: dict[str, list[str]] = {name: [] for name in PARTITIONED}
        for target, one in records.read(connection).items():
            if one.state is ArchiveState.DROPPED:
                months[target.relation].append(str(target.month))
        columns = {name: read_columns(connection, name) for name in PARTITIONED}
    client = client or ClickHouseAddress.from_settings().client()
    with reaching_clickhouse("offering the archive"):
        client.command(f"create database if not exists {DATABASE}")
        _collect(client, settings)
        for name in PARTITIONED:
            if months[name]:
                client.command(table_of(name, columns[name], months[name]))
            else:
                client.command(f"drop table if exists {DATABASE}.{name}")
    return months


def offer_quietly(archivist: Archivist) -> str | None:
    """`offer`, or why it could not be done: the archive itself does not depend on it."""
    try:
        offer(archivist)
    except (AnalyticsUnavailable, TinkoError) as error:
        return error.detail
    return None


def table_of(relation: str, columns: Sequence[Column], months: Sequence[str]) -> str:
    """The DDL of a relation's table over `months`. A column that a month lacks is null there."""
    hidden = _HIDDEN[relation]
    described = [
        f"`{one.name}` {'UUID' if one.name in _KEYS else _TYPES[one.kind]}"
        for one in columns
        if one.name not in hidden
    ]
    where = f"{ROOT}/table={relation}/month={{{','.join(sorted(months))}}}/org=*/*.parquet"
    return (
        f"create or replace table {DATABASE}.{relation}"
        f" ({', '.join(described)}, `month` LowCardinality(String), `org` LowCardinality(String))"
        f" engine = S3({COLLECTION}, filename = '{where}', format = 'Parquet')"
        f" comment 'Months of {relation} that are in the archive, read in S3'"
    )


def _collect(client: Client, settings: Settings) -> None:
    """The named collection with where the bucket is and its keys, as the settings have them."""
    values = {"url": bucket_url(settings)}
    if settings.s3_access_key and settings.s3_secret_key:
        values["access_key_id"] = settings.s3_access_key.get_secret_value()
        values["secret_access_key"] = settings.s3_secret_key.get_secret_value()
    else:
        # the server's own role
        values["use_environment_credentials"] = "1"
    pairs = ", ".join(f"{name} = %({name})s" for name in values)
    client.command(
        f"create named collection if not exists {COLLECTION} as {pairs}", parameters=values
    )
    client.command(f"alter named collection {COLLECTION} set {pairs}", parameters=values)


def bucket_url(settings: Settings) -> str:
    """The bucket's address as ClickHouse takes it."""
    if settings.s3_endpoint_url:
        return f"{settings.s3_endpoint_url.rstrip('/')}/{settings.s3_bucket}/"
    return f"https://{settings.s3_bucket}.s3.amazonaws.com/"
