"""A kill -9 of any part in the middle of traffic loses nothing and charges nobody twice."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx

from tests.proofs import reckoning
from tests.proofs.harness import Finding, register
from tests.proofs.live_stack import SECOND_START_SECONDS, LiveStack, live_stack, wait_until

PARTS = ("api", "dagster-daemon", "postgres", "dagster-code", "sandbox", "supervisor")
# of wall time: for traffic after a kill (our first charge comes after a day of business), and for
# the books to agree at the end
_FLOW_SECONDS, _SETTLE_SECONDS = 420.0, 420.0
# a pooled connection that went with Postgres is found lost at its next use: some sensors look once
# a minute, and two such connections may come after each other
_AFTER_SECONDS = 150


@register("crash")
def crash(
    parts: Sequence[str] = PARTS,
    rounds: int = 1,
    events_between: int = 100,
    charges_between: int = 5,
    rate: int = 1440,
    obligations: int = 4000,
    days: int = 25,
) -> Finding:
    """Each part is killed once a round, with traffic in between; then the books must agree."""
    with live_stack(rate=rate, obligations=obligations, days=days) as stack:
        found = kill_and_reckon(stack, list(parts) * rounds, events_between, charges_between)
        if "supervisor" not in parts:
            return found
        numbers = {**found.numbers, "second_start_seconds": stack.second_start_seconds()}
        return Finding(found.wrong, numbers, {"second_start_seconds": SECOND_START_SECONDS})


def kill_and_reckon(
    stack: LiveStack, parts: Sequence[str], events_between: int, charges_between: int
) -> Finding:
    """Kill the parts one after the other while events are taken and debts charged in between,
    let it all come to rest, and compare with the sandbox. The world stands afterwards.

    Nothing is killed before the first charge of ours.
    """
    disturbed: list[tuple[float, float]] = []
    flow(stack, events_between, max(1, charges_between))
    for part in parts:
        flow(stack, events_between, charges_between)
        began = time.time()
        if part == "supervisor":
            stack.kill_supervisor()
            stack.start()
        else:
            stack.back(part, stack.kill(part))
        disturbed.append((began, time.time()))
    flow(stack, events_between, charges_between)
    reckoning.stop_the_world(stack)
    reckoning.settle(stack, _SETTLE_SECONDS)
    reckoning.heal(stack, _SETTLE_SECONDS)
    wrong: list[str] = []
    with contextlib.suppress(TimeoutError):
        # what was under way at a kill is asked for when its lease is over
        wait_until(lambda: _agrees(stack, wrong), _SETTLE_SECONDS, "the books differ", pause=5.0)
    wrong += failed_runs(stack, disturbed)
    truth = stack.sandbox("GET", "truth")
    return Finding(
        wrong,
        {
            "kills": dict(Counter(parts)),
            "seconds_down": [round(end - began, 1) for began, end in disturbed],
            "starts": stack.starts,
            "events_acknowledged": truth["events_acknowledged"],
            "duplicates_sent": truth["duplicates_sent"],
            "attempts": truth["attempts"],
            "attempts_by_actor": truth["attempts_by_actor"],
            "double_charges": truth["double_charges"],
        },
    )


def _agrees(stack: LiveStack, wrong: list[str]) -> bool:
    reckoning.settle(stack, _SETTLE_SECONDS)
    wrong[:] = reckoning.differences(stack)
    return not wrong


def flow(stack: LiveStack, events: int, charges: int) -> None:
    """Wait until so many more events were acknowledged and debts charged by us.

    Raises TimeoutError.
    """
    before = _moved(stack)

    def flowed() -> bool:
        # the sandbox, too, may be on its way back
        with contextlib.suppress(httpx.HTTPError):
            now = _moved(stack)
            return now[0] >= before[0] + events and now[1] >= before[1] + charges
        return False

    what = f"fewer than {events} events or {charges} charges of ours"
    # the sandbox counts anew at every question, and shares two cores with what is to be counted
    wait_until(flowed, _FLOW_SECONDS, what, pause=1.0)


def _moved(stack: LiveStack) -> tuple[int, int]:
    truth = stack.sandbox("GET", "truth")
    return truth["events_acknowledged"], truth["attempts_by_actor"]["tinko"]


def failed_runs(stack: LiveStack, disturbed: Sequence[tuple[float, float]]) -> list[str]:
    """Runs and sensor ticks that failed while nothing had been killed."""
    runs: list[Any] = stack.query(
        "select pipeline_name, extract(epoch from create_timestamp)::float8,"
        " coalesce(end_time, extract(epoch from update_timestamp))::float8,"
        " (select string_agg(event::json ->> 'user_message', '; ' order by id) from event_logs"
        "  where event_logs.run_id = runs.run_id"
        "  and dagster_event_type in ('STEP_FAILURE', 'PIPELINE_FAILURE'))"
        " from runs where status = 'FAILURE'",
        "dagster",
    )
    ticks: list[Any] = stack.query(
        "select tick_body::json ->> 'job_name', extract(epoch from timestamp)::float8,"
        " extract(epoch from timestamp)::float8, tick_body::json -> 'error' ->> 'message'"
        " from job_ticks where status = 'FAILURE'",
        "dagster",
    )
    return [
        f"{name} failed by itself{f': {why[0]}' if why else ''}"
        for name, began, end, *why in [*runs, *ticks]
        if not any(began < until + _AFTER_SECONDS and end > since for since, until in disturbed)
    ]
