"""Engines by role, and the unit of work: the only place that commits."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from tinko_pipelines.core.settings import get_settings

SET_TENANT = text("select set_config('app.org_id', :org, true)")


def sqlalchemy_url(url: str) -> str:
    """`url` for SQLAlchemy with psycopg 3, whichever of the two spellings it came in."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]


def libpq_url(url: str) -> str:
    """`url` for libpq and psycopg itself."""
    return "postgresql://" + url.split("://", 1)[1]


def make_engine(url: str, *, pool_size: int = 5, pooled: bool = True) -> Engine:
    """An engine on `url`. Times come back in UTC, and a lost server is noticed before use."""
    arguments = {"options": "-c timezone=UTC"}
    if not pooled:
        return create_engine(sqlalchemy_url(url), connect_args=arguments, poolclass=NullPool)
    return create_engine(
        sqlalchemy_url(url),
        connect_args=arguments,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
    )


@cache
def worker_engine() -> Engine:
    """Dagster's engine (tinko_worker): its own policies see every tenant."""
    return make_engine(get_settings().database_worker_url, pool_size=8)


@cache
def owner_engine() -> Engine:
    """DDL and partitions (tinko_owner). Row security off: a filtered read is an error instead."""
    url = get_settings().database_owner_url
    return create_engine(
        sqlalchemy_url(url),
        poolclass=NullPool,
        connect_args={"options": "-c timezone=UTC -c row_security=off"},
    )


@contextmanager
def unit_of_work(engine: Engine, org_id: uuid.UUID | None = None) -> Iterator[Connection]:
    """One transaction: committed at the end of the block, rolled back when it raises.

    `org_id` sets the tenant for row-level security; a role whose policies need one sees nothing
    without it. Never hold one open over a network call.
    """
    with engine.begin() as connection:
        if org_id is not None:
            connection.execute(SET_TENANT, {"org": str(org_id)})
        yield connection
