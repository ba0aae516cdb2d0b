"""The project's own payloads, in the shapes the PSPs' docs show."""

import copy
import json
from functools import cache
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures" / "psp"


@cache
def razorpay_events() -> tuple[tuple[str, dict], ...]:
    lines = (FIXTURES / "razorpay_events.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return tuple((row["label"], row["body"]) for row in rows)


def razorpay_event(label: str) -> dict:
    """A fresh copy of the one event whose label begins so."""
    found = [body for name, body in razorpay_events() if name.startswith(label)]
    return copy.deepcopy(found[0])


@cache
def _stripe() -> dict:
    return json.loads((FIXTURES / "stripe_objects.json").read_text())


def stripe_object(kind: str, **changes) -> dict:
    """A fresh copy of an object with members replaced; `a__b` reaches into a member."""
    made = copy.deepcopy(_stripe()[kind])
    for path, value in changes.items():
        *way, last = path.split("__")
        at = made
        for step in way:
            at = at[step]
        at[last] = value
    return made


def stripe_event(kind: str, about: dict, **changes) -> dict:
    return {
        "id": "evt_1TinkoTinkoTinkoTinko",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": 1760000500,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
        "data": {"object": about},
        **changes,
    }
