"""What a PSP must give the engine to be a PSP here. `stripe/` and `razorpay/` each give one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.routing import BaseRoute

from tinko_pipelines.sandbox.store import Doc


class Surface(Protocol):
    """One PSP. Its routes are mounted at the root of the app, timers call its handlers."""

    psp: str
    kinds: Mapping[str, float]  # kinds of debt and their weights in the world

    def routes(self) -> list[BaseRoute]:
        """API routes under `/{psp}` and hosted pages under `/hosted/{psp}`."""
        ...

    def credentials(self, account: Doc) -> dict[str, Any]:
        """The keys of an account as `POST /_sandbox/accounts` answers them."""
        ...

    def start_debt(self, debt: Doc) -> None:
        """The merchant (or a payer in front of it) makes the first attempt, at `engine.now`."""
        ...

    def sign(self, account: Doc, event_id: str, body: bytes) -> dict[str, str]:
        """The headers of one delivery of an event, signature included."""
        ...
