"""Scripted faults of the PSPs' APIs. They answer wrongly or drop the connection; none hangs.

`PUT /_sandbox/faults` replaces the whole script. Each name takes a number (how often) or
{"times": n, "rate": p, "psp": …, "match": part of "METHOD path", "from": ISO, "to": ISO}:

The `_charge` ones strike whatever moves money: charges, captures, refunds.

- `timeout_before_charge`, `timeout_after_charge`: the connection drops, nothing / everything done
- `error_500_before_charge`, `error_500_after_charge`
- `error_409`, `error_429`: refused, nothing done
- `delay_after_charge`: the answer waits `ms` (default 300, at most 5000), the key in flight
- `outage`: every request of the window is dropped
- `api_key_expired`: 401 in the window
- `late_success`: a debit that the bank takes ends as timed out, and is authorised 3 h to 5 days
  later (Razorpay; `match` is part of "debit by ACTOR")
- `undelivered_notice`: the pre-debit notice of an order does not reach its payer (Razorpay)
- `drop_webhooks`: events of the window are never sent (`times` or `rate`)
- `forget_idempotency_keys`: saved answers are forgotten at once (PSPs keep a key about 24 h)

`GET /_sandbox/faults` shows of each how often it might have struck (`seen`) and did (`struck`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinko_pipelines.sandbox.draws import Draws
from tinko_pipelines.sandbox.store import Store
from tinko_pipelines.sandbox.world import epoch

BEFORE = ("outage", "api_key_expired", "error_429", "error_409", "timeout_before_charge",
          "error_500_before_charge")  # fmt: skip
AFTER = ("timeout_after_charge", "error_500_after_charge", "delay_after_charge")
LATE = ("late_success",)
UNTOLD = ("undelivered_notice",)
NAMES = frozenset((*BEFORE, *AFTER, *LATE, *UNTOLD, "drop_webhooks", "forget_idempotency_keys"))
_CHARGES_ONLY = frozenset(name for name in (*BEFORE, *AFTER) if name.endswith("_charge"))


class Faults:
    """The script in force, kept in the store so that a restart keeps it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def replace(self, script: Mapping[str, Any]) -> dict[str, Any]:
        """Set the whole script. Raises ValueError, naming the member, when it makes no sense."""
        made: dict[str, Any] = {}
        for name, spec in script.items():
            if name not in NAMES:
                raise ValueError(
                    f"there is no fault {name!r}; there are {', '.join(sorted(NAMES))}"
                )
            if spec in (None, False, 0):
                continue
            made[name] = self._spec(name, spec)
        self._store.put("meta", {"id": "faults", "script": made})
        return made

    @staticmethod
    def _spec(name: str, spec: Any) -> dict[str, Any]:
        if spec is True:
            spec = {}
        if isinstance(spec, int):
            spec = {"times": spec}
        if not isinstance(spec, dict):
            raise ValueError(f"{name} takes a number or an object, not {spec!r}")
        ready = {**spec, "seen": 0, "struck": 0, "left": spec.get("times")}
        for edge in ("from", "to"):
            if edge in spec:
                ready[edge] = epoch(spec[edge])
        return ready

    @property
    def script(self) -> dict[str, Any]:
        kept = self._store.get("meta", "faults")
        return kept["script"] if kept else {}

    def strikes(
        self, names: tuple[str, ...], psp: str, what: str, *, at: int, draws: Draws, charge: bool
    ) -> tuple[str, dict[str, Any]] | None:
        """The first of `names` that strikes `what` ("METHOD path") now, with its settings.

        `charge`: whether the request moves money; the `_charge` faults strike only those.
        """
        script = self.script
        for name in names:
            spec = script.get(name)
            if spec is None or (name in _CHARGES_ONLY and not charge):
                continue
            if spec.get("psp", psp) != psp or spec.get("match", "") not in what:
                continue
            if not spec.get("from", at) <= at <= spec.get("to", at) or spec["left"] == 0:
                continue
            spec["seen"] += 1
            if "rate" in spec and not draws.chance(
                spec["rate"], psp, f"fault {name}", spec["seen"]
            ):
                continue
            if spec["left"] is not None:
                spec["left"] -= 1
            spec["struck"] += 1
            self._store.put("meta", {"id": "faults", "script": script})
            return name, spec
        return None
