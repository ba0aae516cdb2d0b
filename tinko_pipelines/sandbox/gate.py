"""One API call of a PSP: the script's faults around it, the commit, the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.responses import Response

from tinko_pipelines.sandbox.engine import Engine
from tinko_pipelines.sandbox.faults import AFTER, BEFORE
from tinko_pipelines.sandbox.wire import Drop

Refuse = Callable[[int, str], Response]  # (status, fault name) -> the PSP's error envelope

_BEFORE_STATUS = {"api_key_expired": 401, "error_429": 429, "error_409": 409,
                  "error_500_before_charge": 500}  # fmt: skip


async def guarded(
    engine: Engine, psp: str, what: str, *, charge: bool, work: Callable[[], Response],
    refuse: Refuse, settle: Callable[[], None] | None = None,
) -> Response:  # fmt: skip
    """Do `work` (synchronous, so atomic) for the request `what` ("METHOD path").

    `charge`: whether it moves money. `settle` is called once the answer is final (or lost),
    for instance to take an idempotency key out of flight.
    """
    struck = engine.faults.strikes(
        BEFORE, psp, what, at=engine.now, draws=engine.draws, charge=charge
    )
    if struck is not None:
        if settle is not None:
            settle()
        engine.store.commit()
        status = _BEFORE_STATUS.get(struck[0])
        return Drop() if status is None else refuse(status, struck[0])
    try:
        answer = work()
        engine.store.commit()
        struck = engine.faults.strikes(
            AFTER, psp, what, at=engine.now, draws=engine.draws, charge=charge
        )
        if struck is None:
            return answer
        name, spec = struck
        if name == "delay_after_charge":
            await asyncio.sleep(min(spec.get("ms", 300), 5000) / 1000)
            return answer
        return Drop() if name == "timeout_after_charge" else refuse(500, name)
    finally:
        if settle is not None:
            settle()
        engine.store.commit()
