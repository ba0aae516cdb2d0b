"""Hold a running stack's books against its sandbox's: what was acknowledged, what was charged."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC
from typing import Any

import httpx
import psycopg

from tests.proofs.live_stack import LiveStack, wait_until
from tinko_pipelines.core.clock import DatabaseClock

_LAUNCH = """
mutation($selector: JobOrPipelineSelector!, $config: RunConfigData!, $day: String!) {
  launchRun(executionParams: {selector: $selector, runConfigData: $config,
    executionMetadata: {tags: [
      {key: "dagster/partition", value: $day}, {key: "dagster/priority", value: "20"}]}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
} }
"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
# SQLAlchemy's pool, with what it may add
_KEPT_CONNECTIONS = 15
_OVER = {"SUCCESS", "FAILURE", "CANCELED"}
# what the sandbox's words for an attempt's end are in the ledger
_STATE_OF = {"succeeded": {"succeeded"}, "failed": {"failed"}, "canceled": {"cancelled", "failed"}}


def stop_the_world(stack: LiveStack) -> None:
    """No new debts, and business time stands: what is under way comes to its end."""
    stack.sandbox("POST", "finish")
    clock = DatabaseClock(stack.stack.environment["SANDBOX_CLOCK_DSN"])
    stack.sandbox("POST", "advance", to=clock.now().astimezone(UTC).isoformat())
    clock.close()


def settle(stack: LiveStack, seconds: float) -> None:
    """Deliver what is on its way and wait until the inbox is worked off.

    Raises TimeoutError when it is not within `seconds`.
    """

    def worked_off() -> bool:
        # a part may be on its way back from a kill
        with contextlib.suppress(httpx.HTTPError, psycopg.OperationalError):
            if stack.sandbox("POST", "finish")["pending"] == 0:
                return unprocessed(stack) == 0
        return False

    wait_until(worked_off, seconds, "events are still waiting", pause=1.0)


def unprocessed(stack: LiveStack) -> int:
    return int(stack.query("select count(*) from inbox_events where processed_at is null")[0][0])


def heal(stack: LiveStack, seconds: float, lookback_days: int = 60) -> None:
    """List everything at both PSPs by the stack's own job. Raises when the run does not succeed."""
    day = str(stack.sandbox("GET", "world")["now"])[:10]
    config = {"config": {"lookback_days": lookback_days}}
    selector = {
        "repositoryLocationName": "tinko",
        "repositoryName": "__repository__",
        "jobName": "heal",
    }
    # the webserver may still hold connections that went with a killed Postgres, and finds each
    # of them lost when it uses it
    for _ in range(_KEPT_CONNECTIONS):
        launched = stack.graphql(
            _LAUNCH,
            selector=selector,
            config={"ops": {"stripe_payments": config, "razorpay_payments": config}},
            day=day,
        )["launchRun"]
        if "OperationalError" not in launched.get("message", ""):
            break
    if launched["__typename"] != "LaunchRunSuccess":
        raise RuntimeError(f"heal was not launched: {launched}")
    run = launched["run"]["runId"]

    def status() -> str:
        with contextlib.suppress(httpx.HTTPError, RuntimeError):
            return str(stack.graphql(_STATUS, id=run)["runOrError"]["status"])
        return "UNKNOWN"

    ended = wait_until(lambda: {status()} & _OVER, seconds, "healing has not ended")
    if ended != {"SUCCESS"}:
        raise RuntimeError(f"healing ended in {ended}")


def acknowledged(stack: LiveStack) -> set[str]:
    """Ids of the events that were answered with 2xx, from the sandbox's own book."""
    path = stack.layout.sandbox / "sandbox.sqlite3"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as book:
        rows = book.execute(
            "select id from docs where kind = 'delivery'"
            " and json_extract(cast(body as text), '$.answered') > 0"
        )
        return {str(row[0]) for row in rows}


def differences(stack: LiveStack) -> list[str]:
    """Each way in which the stack's books are not the sandbox's, in plain words."""
    heard = acknowledged(stack)
    truth = stack.sandbox("GET", "truth")
    stored = [row[0] for row in stack.query(
        "select event_id from inbox_events where source = 'webhook'"
    )]  # fmt: skip
    wrong = []
    if lost := heard - set(stored):
        wrong.append(f"{len(lost)} acknowledged events are not stored: {sorted(lost)[:3]}")
    if twice := len(stored) - len(set(stored)):
        wrong.append(f"{twice} events are stored twice")
    if len(heard) < truth["events_acknowledged"]:
        wrong.append(
            f"{truth['events_acknowledged']} events were acknowledged, {len(heard)} are in the book"
        )
    quarantined = stack.query("select error from inbox_events where outcome = 'quarantined'")
    if quarantined:
        wrong.append(f"{len(quarantined)} events are quarantined: {str(quarantined[0][0])[:200]}")
    if truth["double_charges"]:
        wrong.append(f"{truth['double_charges']} debts were charged twice")
    wrong += [
        f"guard {name} was broken {count} times"
        for name, count in truth["guard_violations"].items()
        if count
    ]
    return wrong + _attempts(stack)


def _attempts(stack: LiveStack) -> list[str]:
    debts: list[dict[str, Any]] = stack.sandbox("GET", "debts")["debts"]
    theirs = {one["id"]: one for debt in debts for one in debt["attempts"]}
    ours = {
        row[0]: (row[1], row[2])
        for row in stack.query(
            "select psp_payment_id, state, amount_minor from attempts"
            " where psp_payment_id is not null"
        )
    }
    wrong = []
    if missing := sorted(set(theirs) - set(ours)):
        wrong.append(f"{len(missing)} attempts are not in the ledger: {missing[:3]}")
    if invented := sorted(set(ours) - set(theirs)):
        wrong.append(f"{len(invented)} attempts are in no PSP: {invented[:3]}")
    other = [
        f"{id_} is {ours[id_][0]}, at the PSP {one['state']}"
        for id_, one in theirs.items()
        if id_ in ours and one["state"] in _STATE_OF and ours[id_][0] not in _STATE_OF[one["state"]]
    ]
    if other:
        wrong.append(f"{len(other)} attempts stand otherwise: {other[:3]}")
    return wrong
