"""/v1/policies: versions, drafts and what is wrong with them; and the merchant's stop of a case."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.api.deliveries import make_merchant
from tests.api.test_api_reads import open_case
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.recovery.policy import DEFAULT_POLICY, Policy

LADDER = {"strategy": {"kind": "ladder", "gaps": ["8d", "8d", "8d"]}, "max_days": 30}


@pytest.fixture
def call(client, merchant):
    def send(method, path, body=None, key=merchant.api_key):
        return client.request(method, path, json=body, headers={"X-API-KEY": key})

    return send


@pytest.fixture
def rows(worker):
    def read(statement, **values):
        with unit_of_work(worker) as connection:
            return [tuple(one) for one in connection.execute(text(statement), values)]

    return read


def test_a_new_version_is_the_current_one_and_the_old_ones_stay(call):
    (first,) = call("GET", "/v1/policies").json()["items"]
    assert (first["version"], first["current"]) == (1, True)
    assert Policy.model_validate(first["policy"]) == DEFAULT_POLICY
    answer = call("POST", "/v1/policies", LADDER)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["version"], made["current"]) == (2, True)
    assert made["policy"]["strategy"] == LADDER["strategy"] | {"kind": "ladder"}
    # the same again is the same version
    assert call("POST", "/v1/policies", LADDER).json()["id"] == made["id"]
    items = call("GET", "/v1/policies").json()["items"]
    assert [(one["version"], one["current"]) for one in items] == [(2, True), (1, False)]
    # what is told can be sent back
    assert call("POST", "/v1/policies", items[1]["policy"]).json()["version"] == 3


def test_another_organisation_has_its_own(call, worker, settings):
    other = make_merchant(worker, settings.credentials_key, "zenith")
    made = call("POST", "/v1/policies", LADDER).json()
    (theirs,) = call("GET", "/v1/policies", key=other.api_key).json()["items"]
    assert theirs["id"] != made["id"]
    assert theirs["version"] == 1
    assert call("GET", "/v1/policies", key="tk_guess").status_code == 401


BAD = [
    ({"windows": []}, "windows"),
    ({"windows": [{"times": [{"from": "09:00", "to": "09:00"}]}]}, "windows.0.times.0"),
    ({"windows": [{"months": [2], "days_of_month": [30]}]}, "windows.0.days_of_month"),
    ({"windows": [{"timezone": "Mars/Olympus"}]}, "windows.0.timezone"),
    ({"categories": {"insufficient_funds": {"windows": [{"days": []}]}}},
     "categories.insufficient_funds.windows.0.days"),
    ({"categories": {"bad_luck": {}}}, "categories.bad_luck"),
    ({"amounts": {"XYZ": {"min_minor": 1}}}, "amounts.XYZ"),
    ({"amounts": {"inr": {"min_minor": 1}}}, "amounts.inr"),
    ({"amounts": {"INR": {"min_minor": -1}}}, "amounts.INR.min_minor"),
    ({"amounts": {"INR": {"min_minor": 10.5}}}, "amounts.INR.min_minor"),
    ({"amounts": {"INR": {"min_minor": "10"}}}, "amounts.INR.min_minor"),
    ({"amounts": {"INR": {"min_minor": 2**63}}}, "amounts.INR.min_minor"),
    ({"amounts": {"INR": {"min_minor": 2, "max_minor": 1}}}, "amounts.INR"),
    ({"amounts": {"INR": {}}}, "amounts.INR"),
    ({"strategy": {"kind": "prayer"}}, "strategy"),
    ({"strategy": {"kind": "ladder", "gaps": []}}, "strategy.ladder.gaps"),
    ({"strategy": {"kind": "ladder", "gaps": ["8 days"]}}, "strategy.ladder.gaps.0"),
    ({"strategy": {"kind": "ladder", "gaps": ["0h"]}}, "strategy.ladder.gaps.0"),
    ({"strategy": {"kind": "ladder", "gaps": ["999d"]}}, "strategy.ladder.gaps.0"),
    ({"strategy": {"kind": "ladder", "gaps": ["1h"] * 65}}, "strategy.ladder.gaps"),
    ({"strategy": {"kind": "backoff", "base_hours": 0}}, "strategy.backoff.base_hours"),
    ({"strategy": {"kind": "advice", "steps": [{"gaps": ["1h"], "categories": []}]}},
     "strategy.advice.steps.0.categories"),
    ({"max_retries": {"never": 1}}, "max_retries"),
    ({"max_retries": {"timed": 1.5}}, "max_retries.timed"),
    ({"max_attempts": 101}, "max_attempts"),
    ({"max_days": 0}, "max_days"),
    ({"max_days": 1e308}, "max_days"),
    ({"channels": ["pigeon"]}, "channels.0"),
    ({"channels": []}, "channels"),
    ({"surprise": 1}, "surprise"),
]  # fmt: skip


def test_a_malformed_policy_is_named_and_not_stored(call, rows):
    """One app for all of them: a database of its own for each would take a minute."""
    for body, where in BAD:
        answer = call("POST", "/v1/policies", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), body
        named = [f"{one['where']}." for one in answer.json()["errors"]]
        assert any(one.startswith(f"body.{where}.") for one in named), (body, named)
    assert rows("select count(*) from policy_versions") == [(0,)]


HOSTILE = [
    (b"{" + b" " * 70_000 + b"}", 413),
    (b'{"windows":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400),
    (b"not json", 422),
    (b'{"max_days": NaN}', 422),
    (b'{"max_days": 1e999}', 422),
    (b"[]", 422),
]


def test_hostile_bodies_are_refused(client, merchant, rows):
    headers = {"X-API-KEY": merchant.api_key, "Content-Type": "application/json"}
    for path in ("/v1/policies", "/v1/policies/preview"):
        for raw, status in HOSTILE:
            answer = client.post(path, content=raw, headers=headers)
            assert answer.status_code == status, (path, raw[:40], answer.text[:200])
            assert answer.headers["content-type"] == "application/problem+json"
    assert rows("select count(*) from policy_versions") == [(0,)]


def asked(**changes):
    return {
        "policy": LADDER,
        "category": "insufficient_funds",
        "failed_at": "2026-09-16T12:00:00+05:30",
        "payer_country": "IN",
    } | changes


def test_a_preview_is_what_the_engine_would_do(call, rows):
    answer = call("POST", "/v1/policies/preview", asked()).json()
    found = [datetime.fromisoformat(one["at"]) for one in answer["retries"]]
    start = datetime(2026, 9, 16, 6, 30, tzinfo=UTC)
    assert [(one - start).days for one in found] == [8, 16, 24]
    assert "visa.reattempts.2025" in answer["retries"][0]["guards"]
    assert answer["ending"]["action"] == "ask_payer"
    assert answer["ending"]["reasons"][0] == "policy.ladder.ended"
    assert rows("select count(*) from policy_versions") == [(0,)]
    assert rows("select count(*) from decisions") == [(0,)]


def test_a_preview_by_paydays_in_the_payers_time(call):
    body = asked(policy={"strategy": {"kind": "advice"}, "max_days": 40})
    found = call("POST", "/v1/policies/preview", body).json()["retries"]
    # 09:00 in Kolkata on the last banking day, and on the days after it
    assert found[0]["at"] == "2026-09-30T03:30:00Z"
    assert {one["at"][8:10] for one in found} <= {"30", "01", "02", "03", "07", "10"}


MALFORMED = [
    ({"failed_at": "2026-09-16T12:00:00"}, "failed_at"),
    ({"failed_at": "9999-12-31T23:59:59Z"}, "failed_at"),
    ({"failed_at": "tomorrow"}, "failed_at"),
    ({"currency": "DOGE"}, "currency"),
    ({"amount": -1}, "amount"),
    ({"amount": 10.5}, "amount"),
    ({"category": "bad_luck"}, "category"),
    ({"policy": {"windows": [{"days": []}]}}, "policy.windows.0.days"),
]


def test_a_malformed_question_is_named(call):
    for changes, where in MALFORMED:
        answer = call("POST", "/v1/policies/preview", asked(**changes))
        assert answer.status_code == 422, changes
        assert answer.json()["errors"][0]["where"] == f"body.{where}"


def test_a_hard_failure_is_the_payers_at_once(call):
    answer = call("POST", "/v1/policies/preview", asked(category="lost_or_stolen")).json()
    assert answer["retries"] == []
    assert answer["ending"]["action"] == "ask_payer"


def plan(worker, ids, state="scheduled"):
    """A retry of ours on the debt, as deciding would have planned it."""
    with unit_of_work(worker) as connection:
        connection.execute(
            text(
                "insert into attempts (id, org_id, connection_id, psp, obligation_id, case_id,"
                " actor, state, amount_minor, currency, scheduled_at, created_at, updated_at)"
                " select :id, org_id, connection_id, psp, id, :case, 'tinko', :state, due_minor,"
                " currency, now(), now(), now() from obligations where id = :debt"
            ),
            {"id": ids["policy"], "case": ids["case"], "debt": ids["obligation"], "state": state},
        )


def test_stop_cancels_what_is_planned_at_once(call, worker, merchant, rows):
    ids = open_case(worker, merchant)
    plan(worker, ids)
    answer = call("POST", f"/v1/cases/{ids['case']}/stop")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(ids["case"]), "state": "cancelled", "close_reason": "merchant.stopped",
        "cancelled_attempts": 1, "cancelled_messages": 0, "open_attempts": 0,
    }  # fmt: skip
    assert rows("select state from attempts where actor = 'tinko'") == [("cancelled",)]
    assert rows("select state, decide_at, closed_at is null from cases") == [
        ("cancelled", None, False)
    ]
    again = call("POST", f"/v1/cases/{ids['case']}/stop")
    assert (again.status_code, again.json()["cancelled_attempts"]) == (200, 0)


def test_what_is_under_way_keeps_its_own_end(call, worker, merchant, rows):
    for state in ("claimed", "submitted", "pending", "unknown"):
        ids = open_case(worker, merchant)
        plan(worker, ids, state)
        answer = call("POST", f"/v1/cases/{ids['case']}/stop").json()
        assert (answer["cancelled_attempts"], answer["open_attempts"]) == (0, 1)
        assert rows("select state from attempts where id = :id", id=ids["policy"]) == [(state,)]


def test_a_case_that_is_over_is_not_stopped(call, worker, merchant, settings, rows):
    ids = open_case(worker, merchant, back=49_900, state="recovered")
    answer = call("POST", f"/v1/cases/{ids['case']}/stop")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")
    other = make_merchant(worker, settings.credentials_key, "zenith")
    running = open_case(worker, merchant)
    answer = call("POST", f"/v1/cases/{running['case']}/stop", key=other.api_key)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    states = rows("select state from cases order by state")
    assert states == [("recovered",), ("retrying",)]
