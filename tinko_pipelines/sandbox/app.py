"""Puts the sandbox together as one ASGI application."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

from starlette.applications import Starlette

from tinko_pipelines.core.clock import DatabaseClock
from tinko_pipelines.sandbox.agent import Agent
from tinko_pipelines.sandbox.clockwork import Clockwork, MemoryClock, MovableClock
from tinko_pipelines.sandbox.control import Control
from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.mailbox import Mailbox

# each of these packages has `make_surface(engine) -> Surface`
PSPS = ("stripe", "razorpay")


def make_engine(data: Path, secret: str, base_url: str, psps: tuple[str, ...] = PSPS) -> Engine:
    """An engine with every PSP surface registered, its state loaded from `data`."""
    engine = Engine(data, secret, base_url, now=int(time.time()))
    for psp in psps:
        package = import_module(f"tinko_pipelines.sandbox.{psp}")
        engine.register(package.make_surface(engine))
    return engine


def make_app(
    data: Path, *, secret: str, base_url: str, clock_dsn: str | None = None,
    mail_url: str | None = None,
    psps: tuple[str, ...] = PSPS,
) -> Starlette:  # fmt: skip
    """The whole sandbox. `base_url` is how the world reaches it (it stands in hosted links).

    `clock_dsn`: the database whose `business_clock` row it moves; without one, time is its own.
    """
    engine = make_engine(data, secret, base_url, psps)
    clock: MovableClock = DatabaseClock(clock_dsn) if clock_dsn else MemoryClock()
    agent = Agent(engine)
    clockwork = Clockwork(engine, clock, Mailbox(engine, mail_url))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        agent.install(app)
        clockwork.resume_loop()
        yield
        await clockwork.stop()
        await agent.close()
        engine.store.close()

    routes = list(Control(engine, clockwork).routes())
    for surface in engine.surfaces.values():
        routes.extend(surface.routes())  # type: ignore[arg-type]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.engine = engine
    app.state.clockwork = clockwork
    return app
