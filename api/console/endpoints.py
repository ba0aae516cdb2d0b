"""`/`: one overview page for whoever runs this stack.

It needs no key, so it answers this machine only: a client from elsewhere, or a page elsewhere
that resolves its name to this machine, is refused. People's accounts come with identity.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates

from api.console.view import CHART_HEIGHT, CHART_WIDTH, OverviewReader, business_time
from api.dependencies import ServicesOf
from api.errors import Forbidden
from api.services import HERE
from tinko_pipelines.core.analytics.definitions import definition
from tinko_pipelines.core.settings import Settings

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(HERE / "console" / "templates")
# the words of dbt's pages and of /v1/analytics/definitions
templates.env.globals["meaning"] = lambda name: definition(name).text

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def operator_only(request: Request, services: ServicesOf) -> None:
    """Raises Forbidden for a client or a host name that is not of this machine."""
    address = request.client.host if request.client else ""
    host = request.url.hostname or ""
    if not _is_loopback(address) or not (_is_loopback(host) or host == _own(services.settings)):
        raise Forbidden("the overview page answers only on the machine it runs on")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _own(settings: Settings) -> str | None:
    return urlsplit(settings.public_url).hostname


Operator = Annotated[None, Depends(operator_only)]


@router.get("/", response_class=HTMLResponse)
def overview(_: Operator, request: Request, services: ServicesOf) -> HTMLResponse:
    """The whole page. Without scripts it reloads itself."""
    return _render("overview.html", request, services)


@router.get("/console/overview", response_class=HTMLResponse)
def overview_part(_: Operator, request: Request, services: ServicesOf) -> HTMLResponse:
    """The part that htmx asks for again every few seconds."""
    return _render("_overview.html", request, services)


def _render(template: str, request: Request, services: ServicesOf) -> HTMLResponse:
    now, pace = business_time(services.clock)
    reader: OverviewReader = request.app.state.overview
    context = {
        "organisations": reader.read(services),
        "now": now,
        "pace": pace,
        "chart": (CHART_WIDTH, CHART_HEIGHT),
        "links": {
            "Dagster": services.settings.dagster_url,
            "Mail": services.settings.mail_url,
            "Docs": "/docs",
            "Documents": "/console/documents/",
            "Health": "/readyz",
            "Metrics": "/metrics",
        },
    }
    return templates.TemplateResponse(request, template, context, headers=SECURITY_HEADERS)
