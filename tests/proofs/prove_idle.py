"""The idle stack is small, what all its processes hold after a while without traffic; and it starts
a second time soon."""

from __future__ import annotations

import time

from tests.proofs.harness import Finding, register
from tests.proofs.live_stack import SECOND_START_SECONDS, LiveStack, live_stack

LIMIT_MB = 2500


@register("idle")
def idle(paused_seconds: int = 60, traffic_seconds: int = 120) -> Finding:
    """Some minutes of the real traffic, then none for a minute; the sum of PSS is measured. Then
    it is stopped as by Ctrl-C and started again."""
    with live_stack() as stack:
        time.sleep(traffic_seconds)
        stack.sandbox("POST", "pause")
        time.sleep(paused_seconds)
        found = measure(stack)
        stack.stop()
        stack.start()
        numbers = {
            **found.numbers,
            "start_seconds": stack.starts,
            "second_start_seconds": stack.second_start_seconds(),
        }
        return Finding(found.wrong, numbers, {"second_start_seconds": SECOND_START_SECONDS})


def measure(stack: LiveStack) -> Finding:
    """The sum of PSS over every process of the stack, supervisor included, in MB."""
    parts = stack.memory()
    total = sum(parts.values())
    wrong = [] if total < LIMIT_MB else [f"{total} MB, {LIMIT_MB} is the limit"]
    return Finding(wrong, {"pss_mb": total, "parts_mb": parts})
