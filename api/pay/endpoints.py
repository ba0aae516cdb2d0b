"""GET and POST `/pay/{token}`, and the page the PSP sends the payer back to."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

import psycopg
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from api.dependencies import ServicesOf
from api.pay.dependencies import DoorOpener, get_door_opener
from api.pay.pages import (
    HEADERS,
    STATUS,
    Refused,
    hand_over_page,
    language_of,
    state_page,
)
from api.pay.view import PageState, PayView, load_view
from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.errors import Conflict, NotFound, PspError
from tinko_pipelines.core.notifications.links import (
    LinkClaims,
    LinkExpired,
    LinkInvalid,
    read_token,
)
from tinko_pipelines.core.psp.types import HandOver, Psp
from tinko_pipelines.core.settings import Settings

log = logging.getLogger(__name__)
router = APIRouter(prefix="/pay", tags=["pay"], include_in_schema=False)
DATABASE_DOWN = (psycopg.OperationalError, OperationalError)
# what a refusal of the door rules means to the payer
REFUSALS = {"already_paid": PageState.PAID, "attempt_in_flight": PageState.PROCESSING}
# refusals of one PSP, after which the payer may still choose the other
OF_ONE = frozenset({"psp_not_offered", "may_be_confirmed"})


@dataclass(frozen=True)
class Visit:
    """One request with a link: what the link says, and what the ledger says of its debt."""

    token: str
    engine: Engine
    clock: Clock
    settings: Settings
    language: str
    claims: LinkClaims | None
    view: PayView | None
    down: bool = False  # the ledger cannot be read now

    @property
    def state(self) -> PageState:
        if self.down:
            return PageState.UNAVAILABLE
        return self.view.state if self.view is not None else PageState.INVALID

    @property
    def path(self) -> str:
        return f"/pay/{self.token}" if self.claims is not None else ""

    @property
    def expires_at(self) -> datetime | None:
        return self.claims.expires_at if self.claims is not None else None

    def page(
        self, state: PageState, status: int | None = None, refused: Refused | None = None
    ) -> Response:
        return state_page(
            state,
            language=self.language,
            settings=self.settings,
            path=self.path,
            view=self.view,
            expires_at=self.expires_at,
            status=status,
            refused=refused,
        )


def visit(
    token: str,
    services: ServicesOf,
    lang: Annotated[str | None, Query(max_length=16)] = None,
    accept_language: Annotated[str | None, Header()] = None,
) -> Visit:
    """Read the link and the ledger; a link that is not ours has neither claims nor view."""
    claims, view, down = None, None, False
    engine, clock = services.app, services.clock
    try:
        claims = read_token(token, clock.now(), services.settings)
        view = load_view(engine, claims.org_id, claims.obligation_id, clock.now())
    except LinkExpired as over:
        claims = over.claims
        view = load_view(engine, claims.org_id, claims.obligation_id, clock.now(), expired=True)
    except LinkInvalid:
        pass
    except DATABASE_DOWN as error:
        log.error("the payer's page cannot read the ledger: %s", error)
        down = True
    language = language_of(lang, accept_language, view)
    return Visit(token, engine, clock, services.settings, language, claims, view, down)


Here = Annotated[Visit, Depends(visit)]


@router.get("/{token}")
def show(here: Here) -> Response:
    """The page: what is owed, why it failed, one button. Reading it changes nothing."""
    return here.page(here.state)


@router.post("/{token}")
def pay(
    here: Here,
    open_door: Annotated[DoorOpener, Depends(get_door_opener)],
    psp: Annotated[str | None, Query(max_length=16)] = None,
) -> Response:
    """To the PSP's own page: 303, or a form that posts itself. Asking twice opens one door.

    `psp` is the payer's choice; without it the debt's own PSP is meant.
    """
    if here.state is not PageState.PAYABLE or here.claims is None or here.view is None:
        return here.page(here.state, STATUS.get(here.state, 409))
    chosen = next((one for one in Psp if one.value == psp), None)
    if psp is not None and chosen is None:
        return here.page(PageState.PAYABLE, 409, Refused(None))
    base = here.settings.public_url.rstrip("/")
    try:
        hand_over = open_door(
            here.engine,
            here.claims.org_id,
            here.view.obligation_id,
            here.clock,
            WallClock(),
            here.settings,
            f"{base}{here.path}/return?lang={here.language}",
            chosen,
        )
    except Conflict as refusal:
        return _refused(here, refusal, chosen)
    except NotFound:
        return here.page(PageState.CANCELLED)
    except (PspError, *DATABASE_DOWN) as error:
        log.warning("no door for obligation %s: %s", here.view.obligation_id, error)
        return here.page(PageState.UNAVAILABLE)
    return _hand_over(here, hand_over)


@router.get("/{token}/return")
def come_back(here: Here) -> Response:
    """Back from the PSP: what our ledger says, never what the address claims."""
    waiting = here.state in (PageState.PAYABLE, PageState.PENDING, PageState.EXPIRED)
    return here.page(PageState.CONFIRMING if waiting else here.state)


@router.post("/{token}/return")
def come_back_by_form(here: Here) -> Response:
    """Razorpay's hosted checkout comes back with a POST. Its fields are not believed, nor read."""
    return RedirectResponse(f"{here.path}/return?lang={here.language}", 303, dict(HEADERS))


def _refused(here: Visit, refusal: Conflict, chosen: Psp | None) -> Response:
    """The ledger may know more by now: asking for the door has read the PSP."""
    if here.claims is not None:
        now = here.clock.now()
        view = load_view(here.engine, here.claims.org_id, here.claims.obligation_id, now)
        here = replace(here, view=view)
    if here.state is PageState.PAYABLE:
        if refusal.code in OF_ONE and here.view is not None:
            refused = chosen or here.view.ways.home.psp
            return here.page(here.state, 409, Refused(refused, refusal.extra.get("until")))
        return here.page(REFUSALS.get(refusal.code, PageState.PROCESSING), 409)
    return here.page(here.state, STATUS.get(here.state, 409))


def _hand_over(here: Visit, hand_over: HandOver) -> Response:
    if urlsplit(hand_over.url).scheme not in ("https", "http"):
        log.error("the PSP gave %r as the address of its page", hand_over.url)
        return here.page(PageState.UNAVAILABLE)
    if hand_over.post:
        return hand_over_page(hand_over, language=here.language, settings=here.settings)
    return RedirectResponse(hand_over.url, 303, dict(HEADERS))
