"""What chaos did, judged by the PSPs' own ledger and not by the code under test."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.local.bootstrap import Sandbox

# each must be nought
PROMISES = ("double_charges", "lost_attempts", "stuck", "guard_violations")
SETTLED = frozenset({"succeeded", "failed"})


def judge(sandbox: Sandbox, engine: Engine, now: datetime) -> dict[str, Any]:
    """The promises as counts, what broke them in plain words, and how many of each outcome.

    `now` is business time, at which nothing is due any more and no fault is in force.
    """
    truth = sandbox.call("GET", "truth")
    debts = sandbox.call("GET", "debts")["debts"]
    theirs = {
        each["id"]: each for debt in debts for each in debt["attempts"] if each["actor"] == "tinko"
    }
    with unit_of_work(engine) as connection:
        ours = connection.execute(query("charging", "ours")).all()
        idle = connection.execute(query("charging", "left_alone"), {"now": now}).all()
        locks = connection.execute(query("charging", "orphaned_locks")).all()
        late = connection.scalar(query("charging", "late_successes"))
    known = {one.psp_payment_id: one for one in ours if one.psp_payment_id}
    lost = [
        f"{id_} is {each['state']} at the PSP and {known[id_].state if id_ in known else 'unknown'}"
        " to us"
        for id_, each in theirs.items()
        if id_ not in known or (each["state"] in SETTLED and known[id_].state != each["state"])
    ]
    lost += [
        f"attempt {one.id} is {one.state}, and the PSP never saw it"
        for one in ours
        if one.state in SETTLED and one.psp_payment_id not in theirs
    ]
    lost += [
        f"attempt {one.id} was due at {one.scheduled_at} and still waits"
        for one in ours
        if one.state == "scheduled" and one.scheduled_at <= now
    ]
    lost += [f"case {one.id} is {one.state} and nothing will wake it" for one in idle]
    stuck = [
        f"attempt {one.id} is {one.state}"
        for one in ours
        if one.state in ("claimed", "submitted", "unknown")
    ]
    stuck += [f"obligation {one.obligation_id} is locked by nothing" for one in locks]
    return {
        "double_charges": truth["double_charges"],
        "lost_attempts": len(lost),
        "stuck": len(stuck),
        "guard_violations": sum(truth["guard_violations"].values()),
        "wrong": [
            *lost,
            *stuck,
            *(f"{name}: {n}" for name, n in truth["guard_violations"].items()),
        ],
        "guard_occasions": truth["guard_occasions"],
        "attempts": len(theirs),
        "outcomes": dict(sorted(Counter(one.state for one in ours).items())),
        "late_successes": late,
        "recovered": truth["recovered"],
    }
