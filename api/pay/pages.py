"""Pages as HTML: one template, words from the catalogue, and headers that let nothing else in.

No page asks for a second file: style and script stand in it under a nonce, and nothing comes from
anybody else's server.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fastapi import Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.pay.view import PageState, PayView
from tinko_pipelines.core.notifications.languages import (
    LANGUAGES,
    catalogue,
    format_date,
    pick_language,
    reason_text,
)
from tinko_pipelines.core.psp.types import HandOver, Psp
from tinko_pipelines.core.settings import Settings

HERE = Path(__file__).parent
I18N = HERE / "i18n"
PSP_NAMES: Mapping[Psp, str] = {Psp.STRIPE: "Stripe", Psp.RAZORPAY: "Razorpay"}
STATUS: Mapping[PageState, int] = {
    PageState.CANCELLED: 410,
    PageState.EXPIRED: 410,
    PageState.INVALID: 404,
    PageState.UNAVAILABLE: 503,
}
# seconds after which a page that waits for news looks again, also without JavaScript
LOOK_AGAIN: Mapping[PageState, int] = {
    PageState.PROCESSING: 15,
    PageState.PENDING: 60,
    PageState.CONFIRMING: 10,
}
HEADERS: Mapping[str, str] = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_templates = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Refused:
    """A PSP that a payer chose (None: one we do not know) and could not be had: `until` when, or
    at all."""

    psp: Psp | None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One PSP as the page shows it: a button, or where `until` is said none before that day."""

    name: str
    query: str  # what the form's address says of it
    until: str | None = None


def choices(view: PayView, refused: Refused | None, language: str) -> list[Choice]:
    """The PSPs that the page shows, those with a button first (pure)."""
    shown = []
    for way in (view.ways.home, view.ways.other):
        if way is None:
            continue
        until = way.blocked_until
        if refused is not None and way.psp is refused.psp:
            # what a PSP said a moment ago is newer than the ledger
            if refused.until is None:
                continue
            until = refused.until
        chosen = "" if way is view.ways.home else f"&psp={way.psp}"
        said = until and format_date(until, view.timezone, language)
        shown.append(Choice(PSP_NAMES[way.psp], f"lang={language}{chosen}", said))
    return sorted(shown, key=lambda one: one.until is not None)


def language_of(asked: str | None, accepts: str | None, view: PayView | None) -> str:
    """The link's own language, else the payer's, the browser's, the merchant's, English."""
    browser = [part.split(";")[0] for part in (accepts or "").split(",")]
    payer, merchant = view.languages if view is not None else (None, None)
    return pick_language(asked, payer, *browser, merchant)


def state_page(
    state: PageState,
    *,
    language: str,
    settings: Settings,
    path: str,
    view: PayView | None = None,
    expires_at: datetime | None = None,
    status: int | None = None,
    refused: Refused | None = None,
) -> Response:
    """The page of `state`. `path` is that of the payment page without a query.

    `status` overrides the state's own (a POST that could not be done answers 409). `refused` is
    the PSP that was chosen in vain.
    """
    shown_ways = choices(view, refused, language) if view is not None else []
    if state is PageState.PAYABLE and (not shown_ways or shown_ways[0].until is not None):
        state = PageState.PENDING
    texts = catalogue(I18N, language)
    values: dict[str, str] = {}
    if view is not None:
        shown = view.due if state is PageState.PAID else view.outstanding
        values = {
            "merchant": view.merchant,
            "amount": shown.format(),
            "psp": shown_ways[0].name if shown_ways else PSP_NAMES[view.ways.home.psp],
        }
    if view is not None and expires_at is not None:
        values["date"] = format_date(expires_at, view.timezone, language)

    def say(key: str, **more: str) -> str:
        return texts[key].format_map(values | more)

    return _respond(
        "page.html",
        status or STATUS.get(state, 200),
        language,
        settings,
        say=say,
        state=state.value,
        path=path,
        view=view,
        ways=shown_ways,
        only=refused is not None and refused.until is None and len(shown_ways) == 1,
        amount=values.get("amount"),
        reason=reason_text(view.reason, language) if view else None,
        look_again=LOOK_AGAIN.get(state),
        # without a debt there is nothing to say of it, but that we cannot look it up now
        named=view is not None or state is PageState.UNAVAILABLE,
        dated="date" in values,
    )


def hand_over_page(hand_over: HandOver, *, language: str, settings: Settings) -> Response:
    """A form that posts itself to the PSP, with a button for who has no JavaScript."""
    texts = catalogue(I18N, language)
    return _respond(
        "handover.html",
        200,
        language,
        settings,
        say=texts.__getitem__,
        action=hand_over.url,
        fields=dict(hand_over.fields),
        path="",
        look_again=None,
    )


def policy(nonce: str, settings: Settings) -> str:
    """The Content-Security-Policy of every page here.

    `form-action` must name where the form's redirect ends too, and that is the PSP's choice: any
    HTTPS address, and plain HTTP only where we ourselves are served so (the embedded stack).
    """
    plain = " http:" if settings.public_url.startswith("http:") else ""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        f"img-src data:; form-action 'self' https:{plain}; base-uri 'none'; frame-ancestors 'none'"
    )


def _respond(
    template: str, status: int, language: str, settings: Settings, **values: object
) -> Response:
    nonce = secrets.token_urlsafe(16)
    html = _templates.get_template(template).render(
        values | {"language": language, "languages": LANGUAGES, "nonce": nonce}
    )
    headers = {
        **HEADERS,
        "Content-Security-Policy": policy(nonce, settings),
        "Content-Language": language,
    }
    return HTMLResponse(html, status_code=status, headers=headers)
