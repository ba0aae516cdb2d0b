"""The page and the JSON API over the kept messages."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tinko_pipelines.local.mail.store import Store
from tinko_pipelines.local.mail.twilio import Twilio

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=select_autoescape()
)
# a received body is somebody else's HTML: no scripts, no forms, nothing loaded, links open apart
_FOREIGN = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "sandbox allow-popups allow-popups-to-escape-sandbox"
    )
}
_PAGE_LIMIT, _API_LIMIT = 200, 1000


def application(store: Store, twilio_token: str) -> Starlette:
    """The ASGI application of the mail page, its API and the Twilio-shaped endpoint."""

    def page(request: Request) -> Response:
        messages = store.latest(_PAGE_LIMIT)
        return HTMLResponse(_TEMPLATES.get_template("list.html").render(messages=messages))

    def one(request: Request) -> Response:
        message = store.get(request.path_params["id"])
        if message is None:
            return PlainTextResponse("There is no such message\n", 404)
        return HTMLResponse(_TEMPLATES.get_template("message.html").render(message=message))

    def body(request: Request) -> Response:
        message = store.get(request.path_params["id"])
        if message is None:
            return PlainTextResponse("There is no such message\n", 404)
        return HTMLResponse(message["html"], headers=_FOREIGN)

    def api(request: Request) -> Response:
        after, limit = (
            request.query_params.get(name, default)
            for name, default in (("after", "0"), ("limit", str(_API_LIMIT)))
        )
        if not after.isdecimal() or not limit.isdecimal():
            return JSONResponse({"detail": "after and limit are whole numbers"}, 400)
        return JSONResponse(store.after(int(after), min(int(limit), _API_LIMIT)))

    def health(request: Request) -> Response:
        store.latest(1)
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/messages/{id:int}", one),
            Route("/messages/{id:int}/html", body),
            Route("/api/messages", api),
            Route("/healthz", health),
            Route(
                "/2010-04-01/Accounts/{sid}/Messages.json",
                Twilio(store, twilio_token).create_message,
                methods=["POST"],
            ),
        ]
    )
