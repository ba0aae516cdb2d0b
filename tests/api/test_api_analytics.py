"""/v1/analytics without ClickHouse: shapes, tenancy, problems, what an answer says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.analytics import schemas
from tests.api.deliveries import make_merchant
from tests.integration.analytics.conftest import Ledger
from tinko_pipelines.core.analytics.definitions import definition
from tinko_pipelines.core.db.tables.recovery import cases

START = datetime(2026, 9, 28, 9, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
BASE = "/v1/analytics"
RANGE = {"from": "2026-09-28", "to": "2026-10-11"}
ROUTES = {
    "/summary": {},
    "/timeseries": {},
    "/breakdown": {"by": "psp"},
    "/attempts": {},
    "/heatmap": {},
    "/cohorts": {},
    "/funnel": {},
}


@pytest.fixture
def ask(client, merchant):
    def send(path, key=merchant.api_key, **params):
        headers = {"X-API-KEY": key} if key else {}
        return client.get(f"{BASE}{path}", headers=headers, params=RANGE | params)

    return send


@pytest.fixture
def ledger(worker, merchant):
    """Rupees: one debt recovered by a retry, one lost, one open; dollars: one recovered, one that
    its payer was asked for."""
    made = Ledger(worker, merchant.org_id)
    common = {"connection_id": merchant.stripe}
    made.failed_debt(START, due=1000, currency="INR", recovered=True)
    lost = made.failed_debt(START + DAY, due=300, currency="INR", category="do_not_honor")
    made.failed_debt(START + 7 * DAY, due=50, currency="INR", psp="razorpay")
    made.failed_debt(START + 8 * DAY, due=7, currency="USD", recovered=True)
    debt = made.debt(START + 9 * DAY, 20, paid_minor=5, **common)
    made.attempt(debt, START + 9 * DAY, amount_minor=20, method="upi", **common)
    case = made.case(debt, START + 9 * DAY)
    made.message(debt, case, START + 9 * DAY)
    with worker.begin() as connection:
        connection.execute(
            cases.update().where(cases.c.obligation_id == lost).values(state="exhausted")
        )
    return made


def refusal(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def money(shown, name):
    return {one["currency"]: one[name] for one in shown["money"]}


@pytest.mark.parametrize("path", [*ROUTES, "/definitions"])
def test_every_route_needs_a_key(ask, path):
    assert refusal(ask(path, key=None)) == (401, "unauthenticated")


@pytest.mark.parametrize(("path", "params"), ROUTES.items())
def test_every_answer_says_where_it_comes_from_and_what_it_is_true_to(ask, ledger, path, params):
    before = datetime.now(UTC)
    told = ask(path, **params).json()
    assert (told["source"], told["incomplete_before"]) == ("postgres", None)
    assert (told["from"], told["to"]) == (RANGE["from"], RANGE["to"])
    mark = told["watermark"]
    assert mark["position"] > 0
    assert datetime.fromisoformat(mark["at"]) >= before
    assert (mark["marts_position"], mark["moved_debts"]) == (None, 0)


def test_the_summary_excludes_active_cases_and_keeps_currencies_apart(ask, ledger):
    told = ask("/summary").json()
    assert [told[name] for name in ("failed", "recovered", "lost", "active", "retried")] == [
        *(5, 2, 1, 2, 2)
    ]
    assert told["recovery_rate"] == 2 / 3
    assert not [name for name in told if name.endswith("_minor")]
    assert money(told, "failed_minor") == {"INR": 1350, "USD": 27}
    assert money(told, "recovered_minor") == {"INR": 1000, "USD": 7}
    assert money(told, "recovery_rate_minor") == {"INR": 1000 / 1300, "USD": 1.0}
    assert money(told, "outstanding_minor") == {"INR": 50, "USD": 15}


def test_filters_choose_rows(ask, ledger, merchant):
    def failed(**filters):
        return ask("/summary", **filters).json()["failed"]

    assert failed(psp="razorpay") == 1
    assert failed(psp=["razorpay", "stripe"]) == 5
    assert failed(currency="USD") == 2
    assert failed(category="do_not_honor") == 1
    assert failed(category=["unclassified", "do_not_honor"]) == 2
    assert failed(method="upi") == 1
    assert failed(method="wallet") == 0
    assert failed(connection_id=str(merchant.stripe)) == 1
    assert failed(**{"from": "2026-09-29", "to": "2026-09-29"}) == 1


def test_a_series_has_every_interval(ask, ledger):
    daily = ask("/timeseries").json()["points"]
    assert [point["failed"] for point in daily] == [1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    assert daily[2]["money"] == []
    assert daily[2]["recovery_rate"] is None
    weekly = ask("/timeseries", interval="week").json()["points"]
    assert [(point["start"], point["failed"]) for point in weekly] == [
        ("2026-09-28", 2),
        ("2026-10-05", 3),
    ]
    assert money(weekly[1], "failed_minor") == {"INR": 50, "USD": 27}


def test_breakdowns_begin_with_the_largest(ask, ledger):
    told = ask("/breakdown", by="category").json()
    assert [(group["value"], group["failed"]) for group in told["groups"]] == [
        ("insufficient_funds", 3),
        ("do_not_honor", 1),
        ("unclassified", 1),
    ]
    tries = ask("/attempts", by="actor").json()["groups"]
    assert [(group["value"], group["tried"], group["succeeded"]) for group in tries] == [
        ("merchant", 5, 0),
        ("tinko", 2, 2),
    ]
    assert tries[0]["success_rate"] == 0
    numbers = ask("/attempts", by="attempt_number", currency="INR").json()["groups"]
    assert [(group["value"], group["tried"]) for group in numbers] == [("1", 3), ("2", 1)]
    assert money(numbers[1], "succeeded_minor") == {"INR": 1000}


def test_the_heat_map_is_in_the_payers_time(ask, ledger):
    # organisations keep Indian time unless they say otherwise: 09:00 UTC is half past two
    assert [
        (cell["weekday"], cell["hour"], cell["tried"], cell["success_rate"])
        for cell in ask("/heatmap").json()["cells"]
    ] == [(3, 14, 1, 1.0), (4, 14, 1, 1.0)]


def test_cohorts_say_how_long_it_takes(ask, ledger):
    told = ask("/cohorts", days=3).json()
    first, second = told["cohorts"]
    assert (first["start"], first["failed"]) == ("2026-09-28", 2)
    assert [(point["days"], point["recovered"]) for point in first["curve"]] == [
        *((0, 0), (1, 0), (2, 1), (3, 1))
    ]
    assert [one["curve"][2]["share"] for one in second["money"]] == [0.0, 0.5]
    assert first["money"][0]["curve"][2]["recovered_minor"] == 1000
    assert refusal(ask("/cohorts", days=91)) == (422, "invalid_input")


def test_each_step_of_the_funnel_is_a_part_of_the_one_before(ask, ledger):
    told = ask("/funnel").json()
    assert [(step["name"], step["debts"]) for step in told["steps"]] == [
        ("failed", 5),
        ("reached", 3),
        ("reached_recovered", 2),
        ("reached_settled", 0),
    ]
    assert {step["name"]: step["debts"] for step in told["beside"]} == {
        "retried": 2,
        "asked": 1,
        "recovered": 2,
        "settled_debts": 0,
    }
    assert told["steps"][1]["share_of_failed"] == 0.6
    assert {one["currency"]: one["minor"] for one in told["steps"][2]["money"]} == {
        "INR": 1000,
        "USD": 7,
    }


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        ({"from": "2026-10-12"}, "range_invalid", "after"),
        ({"from": "2025-10-10"}, "range_too_long", "366"),
        ({"from": "yesterday"}, "invalid_input", "from"),
        ({"psp": "paypal"}, "invalid_input", "stripe"),
        ({"currency": "XXQ"}, "invalid_input", "ISO 4217"),
        ({"currency": "inr"}, "invalid_input", "upper case"),
        ({"method": "Card!"}, "invalid_input", "method"),
        ({"category": "bad_luck"}, "invalid_input", "category"),
        ({"connection_id": "mine"}, "invalid_input", "connection_id"),
        ({"psp": ["stripe"] * 51}, "invalid_input", "psp"),
    ],
)
@pytest.mark.parametrize("path", ["/summary", "/heatmap"])
def test_what_cannot_be_answered_is_refused_with_its_reason(ask, path, wrong, code, says):
    answer = ask(path, **wrong)
    assert refusal(answer) == (422, code)
    assert says in answer.json()["detail"]


def test_a_dimension_that_is_none(ask):
    assert refusal(ask("/breakdown")) == (422, "invalid_input")
    assert refusal(ask("/breakdown", by="payer_email")) == (422, "invalid_input")
    assert refusal(ask("/timeseries", interval="hour")) == (422, "invalid_input")


def test_an_organisation_sees_its_own(ask, ledger, worker, settings):
    other = make_merchant(worker, settings.credentials_key, "other")
    assert ask("/summary", key=other.api_key).json()["failed"] == 0
    assert ask("/heatmap", key=other.api_key).json()["cells"] == []
    answer = ask("/summary", connection_id=str(other.stripe))
    assert refusal(answer) == (404, "not_found")
    assert ask("/summary", key=other.api_key, connection_id=str(other.stripe)).status_code == 200


def test_every_figure_is_defined(ask, ledger):
    items = ask("/definitions").json()["items"]
    known = {one["name"]: one for one in items}
    figures = {
        *(schemas.DebtMoney.model_fields.keys() | schemas.TryMoney.model_fields.keys()),
        *(step["name"] for part in ("steps", "beside") for step in ask("/funnel").json()[part]),
    }
    assert figures <= known.keys()
    assert known["recovery_rate"]["formula"] == definition("recovery_rate").formula
    assert known["lost_minor"]["unit"] == "minor units of the currency"
    assert (known["lost"]["unit"], known["psp"]["unit"]) == ("count", None)


def test_the_api_is_ready_while_clickhouse_is_away(client):
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["parts"]["clickhouse"]["state"] == "down"
    assert ready.json()["parts"]["clickhouse"]["needed"] is False


def test_the_document_gives_units_and_meanings(client):
    document = client.get("/openapi.json").json()
    fields = document["components"]["schemas"]["DebtMoney"]["properties"]
    assert "minor units" in fields["recovered_minor"]["description"]
    assert "active cases are in neither" in fields["recovery_rate"]["description"]
    for path, methods in document["paths"].items():
        if path.startswith(BASE):
            assert methods["get"]["security"], path
            assert methods["get"]["description"], path
