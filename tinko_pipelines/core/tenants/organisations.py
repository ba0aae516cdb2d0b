"""Organisations: the tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import IntegrityError

from tinko_pipelines.core.db.engine import SET_TENANT
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, NotFound
from tinko_pipelines.core.ids import new_id

DEFAULT_SLUG = "default"


@dataclass(frozen=True, slots=True)
class Organisation:
    org_id: UUID
    slug: str
    name: str
    timezone: str
    language: str


def create_organisation(
    connection: Connection,
    slug: str,
    name: str,
    at: datetime,
    *,
    timezone: str = "Asia/Kolkata",
    language: str = "en",
) -> Organisation:
    """Make a tenant and set it as the transaction's. `at` is business time.

    Raises Conflict when another organisation has the slug.
    """
    made = Organisation(new_id(at), slug, name, timezone, language)
    connection.execute(SET_TENANT, {"org": str(made.org_id)})
    try:
        with connection.begin_nested():
            connection.execute(
                query("tenants", "insert_organisation"),
                {
                    "org_id": made.org_id,
                    "slug": slug,
                    "name": name,
                    "timezone": timezone,
                    "language": language,
                    "at": at,
                },
            )
    except IntegrityError:
        raise Conflict(f"an organisation with the slug {slug!r} is already there") from None
    return made


def find_organisation(connection: Connection, slug: str) -> Organisation:
    """By slug, among those the role may see (tinko_worker sees all). Raises NotFound."""
    row = (
        connection.execute(query("tenants", "organisation_by_slug"), {"slug": slug})
        .mappings()
        .first()
    )
    if row is None:
        raise NotFound(f"there is no organisation with the slug {slug!r}")
    return _organisation(row)


def ensure_organisation(connection: Connection, slug: str, name: str, at: datetime) -> Organisation:
    """The organisation with that slug, made where it is missing. For a role that sees all."""
    try:
        return find_organisation(connection, slug)
    except NotFound:
        return create_organisation(connection, slug, name, at)


def list_organisations(connection: Connection) -> list[Organisation]:
    """All that the role may see, by name."""
    rows = connection.execute(query("tenants", "organisations")).mappings()
    return [_organisation(row) for row in rows]


def _organisation(row: RowMapping) -> Organisation:
    return Organisation(row["org_id"], row["slug"], row["name"], row["timezone"], row["language"])
