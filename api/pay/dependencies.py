"""What the page asks of the recovery: a door of a debt. A FastAPI dependency."""

from __future__ import annotations

import uuid
from typing import Protocol

from sqlalchemy import Engine

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.psp.types import HandOver, Psp
from tinko_pipelines.core.recovery.payer_door import open_payer_door
from tinko_pipelines.core.settings import Settings


class DoorOpener(Protocol):
    """`core.recovery.payer_door.open_payer_door`: the way to the PSP's page, by the door rules."""

    def __call__(
        self,
        engine: Engine,
        org_id: uuid.UUID,
        obligation_id: uuid.UUID,
        clock: Clock,
        wall: WallClock,
        settings: Settings,
        return_url: str,
        chosen: Psp | None = None,
    ) -> HandOver: ...


def get_door_opener() -> DoorOpener:
    """The real one. Tests put a page of their own behind the button."""
    return open_payer_door
