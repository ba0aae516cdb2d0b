"""The API: `uvicorn api.main:app`."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from api import docs, errors, health
from api.analytics import endpoints as analytics
from api.analytics.asking import insights_of
from api.classifier import endpoints as classifier
from api.console import documents
from api.console import endpoints as console
from api.console.view import OverviewReader
from api.console_api import endpoints as console_api
from api.pay import endpoints as pay
from api.payments import endpoints as payments
from api.policies import endpoints as policies
from api.quarantine import endpoints as quarantine
from api.reconciliation import endpoints as reconciliation
from api.rules import endpoints as rules
from api.services import HERE, Services, build
from api.webhooks import endpoints as webhooks
from tinko_pipelines.core.settings import get_settings


def create_app(services: Services | None = None) -> FastAPI:
    """An app over `services`, by default those of the environment. Raises SettingsError."""
    services = services or build(get_settings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # What was imported stays: the collector need not walk it again for every few hundred
        # requests, which cost a fifth of the time under load.
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()
        app.state.insights.close()
        await services.close()

    app = FastAPI(
        title="Tinko Recovery",
        version=version("tinko-recovery"),
        lifespan=lifespan,
        # FastAPI's own pages load their scripts from elsewhere; ours is api/docs.py
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.overview = OverviewReader()
    app.state.insights = insights_of(services)
    errors.install(app)
    partners = (payments, policies, rules, reconciliation, quarantine, classifier, console_api)
    for part in (webhooks, pay, *partners, analytics, health, docs, console, documents):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=HERE / "console" / "static"), name="static")
    return app


def __getattr__(name: str) -> FastAPI:
    """`app`, made when uvicorn asks for it: importing this module needs no settings."""
    if name != "app":
        raise AttributeError(name)
    globals()["app"] = made = create_app()
    return made
