"""The sandbox's own counts, from its ledger alone. The words are those of the demo's report."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tinko_pipelines.sandbox.ledger import FAILED, Ledger
from tinko_pipelines.sandbox.occasions import occasions
from tinko_pipelines.sandbox.store import Doc, Store
from tinko_pipelines.sandbox.violations import violations

_BY = {"tinko": "retry", "payer": "payer", "psp": "psp", "merchant": "merchant"}


def truth(store: Store, ledger: Ledger) -> dict[str, Any]:
    """Counts of obligations, attempts, recoveries, double charges and events.

    An obligation is a debt with at least one attempt. Money is in minor units per currency.
    """
    seen = [debt for debt in ledger.debts() if debt["started"]]
    attempts = list(ledger.all_attempts())
    failed = [row for row in attempts if row["state"] == FAILED]
    recovered_by: Counter[str] = Counter({"retry": 0, "payer": 0, "psp": 0})
    recovered_minor: Counter[str] = Counter()
    paid_minor: Counter[str] = Counter()
    recovered = doubles = 0
    for debt in seen:
        rows = ledger.attempts(debt["id"])
        net = sum(row["captured"] - row["refunded"] for row in rows)
        paid_minor[debt["currency"]] += net
        doubles += net > debt["amount"]
        if net >= debt["amount"] and any(row["state"] == FAILED for row in rows):
            recovered += 1
            recovered_by[_BY[_payer_of(debt, rows)]] += 1
            recovered_minor[debt["currency"]] += debt["amount"]
    actors = Counter({"merchant": 0, "psp": 0, "tinko": 0, "payer": 0})
    actors.update(row["actor"] for row in attempts)
    return {
        "obligations": len(seen),
        "attempts": len(attempts),
        "attempts_by_actor": dict(actors),
        "failures": len(failed),
        "unknown": sum(bool(row["made_up"]) for row in failed),
        "recovered": recovered,
        "recovered_by": dict(recovered_by),
        "recovered_minor": dict(sorted(recovered_minor.items())),
        "paid_minor": dict(sorted(paid_minor.items())),
        "double_charges": doubles,
        "guard_violations": violations(store, ledger),
        "guard_occasions": occasions(store, ledger),
        **event_counts(store),
    }


def _payer_of(debt: Doc, rows: list[Doc]) -> str:
    """The actor of the capture that brought the debt to its due."""
    total = 0
    paid = sorted((r for r in rows if r["captured"]), key=lambda r: (r["paid_at"], r["id"]))
    for row in paid:
        total += row["captured"] - row["refunded"]
        if total >= debt["amount"]:
            return str(row["actor"])
    return str(paid[-1]["actor"])


def event_counts(store: Store) -> dict[str, int]:
    """Events made, answered with 2xx at least once, never sent, and answered again."""
    counts = {"events_emitted": 0, "events_acknowledged": 0, "events_dropped": 0,
              "duplicates_sent": 0}  # fmt: skip
    for row in store.all("delivery"):
        counts["events_emitted"] += 1
        counts["events_acknowledged"] += row["answered"] > 0
        counts["events_dropped"] += row["fate"] == "never"
        counts["duplicates_sent"] += max(0, row["answered"] - 1)
    return counts
