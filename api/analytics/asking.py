"""What every route of /v1/analytics takes: whose figures, of which days, of which rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, StringConstraints

from api.dependencies import ServicesOf, require_key
from api.services import Services
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.reading.insights import Answer, Insights
from tinko_pipelines.core.analytics.reading.question import MOST_DAYS, Filters, Question, Span
from tinko_pipelines.core.analytics.reading.store import Store
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.psp.types import Psp
from tinko_pipelines.core.rules.vocabulary import CURRENCIES
from tinko_pipelines.core.tenants.api_keys import KeyOwner

DEFAULT_DAYS = 30
MOST_VALUES = 50  # of one filter

CategoryName = StrEnum(  # type: ignore[misc]
    "CategoryName", [(one.name, one.value) for one in Category] + [("UNCLASSIFIED", "unclassified")]
)


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise ValueError("not a currency of ISO 4217, in upper case")
    return currency


def _any_of(words: str) -> object:
    return Query(max_length=MOST_VALUES, description=f"{words}; repeat it for any of several")


# the PSPs' word: they have more than we know, so only its form is checked
MethodName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Currency = Annotated[str, AfterValidator(_known)]
First = Annotated[
    date | None,
    Query(
        alias="from",
        description="first day (UTC): of the debts' first failure, or of the tries; by default"
        f" {DEFAULT_DAYS} days up to the last one",
    ),
]
Last = Annotated[
    date | None,
    Query(
        alias="to",
        description=f"last day (UTC), by default today; at most {MOST_DAYS} days from the first",
    ),
]


def insights_of(services: Services) -> Insights:
    """Answers from ClickHouse where the sink fills it, and from Postgres. Nothing is connected."""
    store = None
    # without ClickHouse among the sinks the marts stand empty
    if "clickhouse" in services.settings.analytics_sinks:
        store = Store(ClickHouseAddress.parse(services.settings.clickhouse_url))
    return Insights(services.app, services.clock, store)


@dataclass(frozen=True)
class Asked:
    """One organisation's question, before it is said what is counted."""

    insights: Insights
    org_id: UUID
    span: Span
    filters: Filters

    def answer(self, measures: tuple[str, ...], *by: str, only: str = "") -> Answer:
        """Those measures by those dimensions. Raises TooSlow."""
        return self.insights.ask(self.org_id, Question(measures, self.span, by, self.filters, only))


def asked(
    request: Request,
    services: ServicesOf,
    owner: Annotated[KeyOwner, Depends(require_key)],
    first: First = None,
    last: Last = None,
    psp: Annotated[tuple[Psp, ...], _any_of("PSP")] = (),
    method: Annotated[
        tuple[MethodName, ...],
        _any_of("payment method, as the PSP names it: card, upi, emandate, netbanking, wallet, …"),
    ] = (),
    category: Annotated[
        tuple[CategoryName, ...], _any_of("category of the debt's first failure")
    ] = (),
    currency: Annotated[tuple[Currency, ...], _any_of("ISO 4217")] = (),
    connection_id: Annotated[
        tuple[UUID, ...], _any_of("merchant account at a PSP, by its id here")
    ] = (),
) -> Asked:
    """Raises RangeInvalid, RangeTooLong, and NotFound for a connection that is not the tenant's."""
    until = last or services.clock.now().date()
    span = Span(first or until - timedelta(days=DEFAULT_DAYS - 1), until)
    _refuse_strangers(services, owner.org_id, connection_id)
    filters = Filters(psp, method, category, currency, connection_id)
    return Asked(request.app.state.insights, owner.org_id, span, filters)


def _refuse_strangers(services: Services, org_id: UUID, wanted: tuple[UUID, ...]) -> None:
    if not wanted:
        return
    with unit_of_work(services.app, org_id) as connection:
        own = connection.execute(query("insights", "own_connections"), {"ids": list(wanted)})
        unknown = sorted(set(wanted) - set(own.scalars()))
    if unknown:
        raise NotFound(f"connection_id: there is no connection {unknown[0]}")


AskedOf = Annotated[Asked, Depends(asked)]
