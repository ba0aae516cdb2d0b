"""Organisations: the tenants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import IntegrityError

from tinko_pipelines.core.db.engine import SET_TENANT
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, InvalidInput, NotFound
from tinko_pipelines.core.guards.model import MerchantCategory
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.recovery.places import is_country, is_timezone

DEFAULT_SLUG = "default"


@dataclass(frozen=True, slots=True)
class Organisation:
    org_id: UUID
    slug: str
    name: str
    timezone: str
    language: str
    country: str | None = None
    category: MerchantCategory | None = None
    fresh_notice: bool = True


@dataclass(frozen=True, slots=True)
class Trade:
    """Where a merchant is (ISO 3166-1 alpha-2), what is sold, and whether each retry of a mandate
    is announced by a notice of its own: some limits depend on it. None: not said. Raises
    InvalidInput where there is no such country or category."""

    country: str | None = None
    category: MerchantCategory | None = None
    fresh_notice: bool | None = None

    def __post_init__(self) -> None:
        if self.country is not None and not is_country(self.country):
            raise InvalidInput(f"{self.country!r} is no country code of two letters (ISO 3166-1)")

    @classmethod
    def said(
        cls, country: str | None, category: str | None, fresh_notice: bool | None = None
    ) -> Trade:
        """Out of what was typed; empty is not said."""
        try:
            kind = MerchantCategory(category) if category else None
        except ValueError:
            known = ", ".join(MerchantCategory)
            raise InvalidInput(f"{category!r} is no category; there are {known}") from None
        return cls((country or "").strip().upper() or None, kind, fresh_notice)


NOT_SAID = Trade()


def create_organisation(
    connection: Connection,
    slug: str,
    name: str,
    at: datetime,
    *,
    timezone: str = "Asia/Kolkata",
    language: str = "en",
    trade: Trade = NOT_SAID,
) -> Organisation:
    """Make a tenant and set it as the transaction's. `at` is business time.

    Raises Conflict when another organisation has the slug, InvalidInput where `timezone` is no
    IANA time zone.
    """
    if not is_timezone(timezone):
        raise InvalidInput(f"{timezone!r} is no time zone of the IANA database")
    made = Organisation(
        new_id(at),
        slug,
        name,
        timezone,
        language,
        trade.country,
        trade.category,
        trade.fresh_notice is not False,
    )
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
                    "country": trade.country,
                    "category": trade.category,
                    "fresh_notice": made.fresh_notice,
                    "at": at,
                },
            )
    except IntegrityError:
        raise Conflict(f"an organisation with the slug {slug!r} is already there") from None
    return made


def set_trade(connection: Connection, org_id: UUID, trade: Trade) -> None:
    """Say of an organisation what `trade` says; what it does not say stays."""
    if trade != NOT_SAID:
        connection.execute(
            query("tenants", "set_trade"),
            {
                "org_id": org_id,
                "country": trade.country,
                "category": trade.category,
                "fresh_notice": trade.fresh_notice,
            },
        )


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
    category = row["category"]
    return Organisation(
        row["org_id"],
        row["slug"],
        row["name"],
        row["timezone"],
        row["language"],
        row["country"],
        None if category is None else MerchantCategory(category),
        row["fresh_notice"],
    )
