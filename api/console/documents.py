"""`/console/documents`: the pages that dbt and Great Expectations write, for who runs this stack.

They name rows of every organisation, so they answer this machine only, as the overview does. What
they hold is somebody else's HTML: it runs in a sandbox, an origin of its own, and asks nothing of
elsewhere.
"""

from __future__ import annotations

import mimetypes

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.console.endpoints import SECURITY_HEADERS, Operator, templates
from api.console.offline import offline
from api.dependencies import ServicesOf
from tinko_pipelines.core.analytics.documents import PREFIXES, listed, read

router = APIRouter(include_in_schema=False, prefix="/console/documents")

# Data Docs' own list of pages is made by scripts that are not here: ours is
DRAWN_ELSEWHERE = "index.html"
SANDBOX = SECURITY_HEADERS | {
    "Content-Security-Policy": (
        "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval';"
        " style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}


@router.get("/", response_class=HTMLResponse)
def documents(_: Operator, request: Request, services: ServicesOf) -> HTMLResponse:
    """What there is to open."""
    found = {site: listed(services.settings, site) for site in PREFIXES}
    return templates.TemplateResponse(
        request, "documents.html", {"found": found}, headers=SECURITY_HEADERS
    )


@router.get("/{site}/{path:path}")
def document(_: Operator, services: ServicesOf, site: str, path: str) -> Response:
    """One file of a site. Raises NotFound."""
    if site == "quality" and path == DRAWN_ELSEWHERE:
        return RedirectResponse(router.prefix + "/")
    kind, _encoding = mimetypes.guess_type(path)
    body = read(services.settings, site, path)
    if site == "quality" and kind == "text/html":
        body = offline(body.decode(), path).encode()
    return Response(body, media_type=kind or "application/octet-stream", headers=SANDBOX)
