"""The payer's page as an app, with a stand-in behind its button: what the PSP's side would be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace

from fastapi import FastAPI

from api import errors
from api.pay import endpoints
from api.pay.dependencies import get_door_opener
from api.services import services_of
from tests.integration.notifications.payer_world import PayerWorld
from tinko_pipelines.core.notifications.links import VALID_FOR, LinkClaims, make_token
from tinko_pipelines.core.psp.types import HandOver


@dataclass
class Doors:
    """Stands in for `open_payer_door`: gives, raises or calls what the test set; counts calls."""

    answer: HandOver | Exception | Callable[[], HandOver] = field(
        default_factory=lambda: HandOver("https://psp.example/h")
    )
    asked: list[SimpleNamespace] = field(default_factory=list)

    def __call__(
        self, engine, org_id, obligation_id, clock, wall, settings, return_url, chosen=None
    ):
        self.asked.append(
            SimpleNamespace(
                org_id=org_id, obligation_id=obligation_id, return_url=return_url, chosen=chosen
            )
        )
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer() if callable(self.answer) else self.answer


def make_app(world: PayerWorld, doors: Doors) -> FastAPI:
    app = FastAPI()
    errors.install(app)
    app.include_router(endpoints.router)
    app.dependency_overrides[services_of] = lambda: SimpleNamespace(
        app=world.app, clock=world.clock, settings=world.settings
    )
    app.dependency_overrides[get_door_opener] = lambda: doors
    return app


def link_of(world: PayerWorld, debt, valid_for: timedelta = VALID_FOR, org_id=None) -> str:
    obligation, case = debt
    claims = LinkClaims(org_id or world.org_id, case, obligation, world.clock.now() + valid_for)
    return "/pay/" + make_token(claims, world.settings)
