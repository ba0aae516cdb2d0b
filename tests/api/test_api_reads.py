"""/v1 with an API key, and what each organisation sees."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from tests.api.deliveries import make_merchant, serving, settings_of
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables.ledger import attempts, failures, obligations, psp_refs
from tinko_pipelines.core.db.tables.recovery import cases, decisions
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.ids import new_id

NOW = datetime.now(UTC).replace(microsecond=0)


def open_case(worker, merchant, *, currency="INR", due=49_900, state="retrying", back=0, age=0):
    """A debt with one failed attempt, its failure, case and decision."""
    at = NOW - timedelta(minutes=age)
    ids = {name: new_id(at) for name in ("obligation", "attempt", "case", "decision", "policy")}
    common = {"org_id": merchant.org_id, "connection_id": merchant.stripe, "psp": "stripe"}
    owned = {"org_id": merchant.org_id, "obligation_id": ids["obligation"]}
    times = {"created_at": at, "updated_at": at}
    rows = [
        (
            obligations,
            common
            | times
            | {"id": ids["obligation"], "state": "paid" if back else "open", "due_minor": due}
            | {"paid_minor": back, "currency": currency, "description": "Tea, monthly"},
        ),
        (
            psp_refs,
            owned
            | {"connection_id": merchant.stripe, "object_id": f"pi_{ids['obligation']}"}
            | {"kind": "payment_intent"},
        ),
        (
            attempts,
            common
            | times
            | {"id": ids["attempt"], "obligation_id": ids["obligation"], "actor": "merchant"}
            | {"state": "failed", "amount_minor": due, "currency": currency, "occurred_at": at},
        ),
        (
            failures,
            owned
            | {"attempt_id": ids["attempt"], "psp": "stripe", "category": "insufficient_funds"}
            | {"retry_advice": "timed", "hard": False, "who_acts": "nobody", "confidence": 1.0}
            | {"late_authorisation": False, "decided_by": "row 1", "code": "card_declined"}
            | {"failed_at": at, "created_at": at},
        ),
        (
            cases,
            owned
            | {"id": ids["case"], "connection_id": merchant.stripe, "state": state}
            | {"policy_version_id": ids["policy"], "recovered_minor": back, "opened_at": at}
            | {"updated_at": at, "closed_at": at if back else None}
            | {"tags": ["vip"], "offered_psp": "razorpay"},
        ),
        (
            decisions,
            owned
            | {"id": ids["decision"], "case_id": ids["case"], "action": "retry", "act_at": at}
            | {"policy_version_id": ids["policy"], "reasons": ["timed"], "inputs": {}}
            | {"decided_at": at},
        ),
    ]
    with unit_of_work(worker) as connection:
        for table, values in rows:
            connection.execute(insert(table).values(**values))
    return ids


@pytest.fixture
def ask(client, merchant):
    def get(path, key=merchant.api_key, **query):
        return client.get(path, params=query, headers={"X-API-KEY": key} if key else {})

    return get


NOBODYS = "01990000-0000-7000-8000-000000000000"
PATHS = ["/v1/cases", "/v1/overview", "/v1/connections", f"/v1/cases/{NOBODYS}"]


@pytest.mark.parametrize("path", [*PATHS, f"/v1/obligations/{NOBODYS}"])
@pytest.mark.parametrize("key", [None, "tk_guess"])
def test_every_route_needs_a_key(ask, path, key):
    answer = ask(path, key)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_case_is_shown_with_all_that_led_to_it(ask, worker, merchant):
    ids = open_case(worker, merchant)
    case = ask(f"/v1/cases/{ids['case']}").json()
    assert case["obligation"]["due_minor"] == 49_900
    assert [item["state"] for item in case["attempts"]] == ["failed"]
    assert [item["category"] for item in case["failures"]] == ["insufficient_funds"]
    assert [item["action"] for item in case["decisions"]] == ["retry"]
    assert (case["tags"], case["offered_psp"]) == (["vip"], "razorpay")
    (line,) = ask("/v1/cases").json()["items"]
    assert line["tags"] == ["vip"]
    debt = ask(f"/v1/obligations/{ids['obligation']}").json()
    assert debt["case"] == {"id": str(ids["case"]), "state": "retrying"}
    assert [item["kind"] for item in debt["refs"]] == ["payment_intent"]


def test_cases_come_newest_first_a_page_at_a_time(ask, worker, merchant):
    made = [str(open_case(worker, merchant, age=age)["case"]) for age in range(7)]
    seen, cursor = [], None
    while True:
        page = ask("/v1/cases", limit=3, **({"cursor": cursor} if cursor else {})).json()
        assert len(page["items"]) <= 3
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made
    assert page["items"][0]["category"] == "insufficient_funds"


def test_cases_by_state(ask, worker, merchant):
    open_case(worker, merchant)
    kept = open_case(worker, merchant, state="exhausted")
    found = ask("/v1/cases", state="exhausted").json()["items"]
    assert [item["id"] for item in found] == [str(kept["case"])]


@pytest.mark.parametrize(
    "query", [{"cursor": "none of ours"}, {"limit": 0}, {"limit": 1000}, {"state": "happy"}]
)
def test_a_malformed_question_is_a_problem_that_names_it(ask, query):
    answer = ask("/v1/cases", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert next(iter(query)) in answer.json()["detail"]


def test_another_organisation_sees_nothing_of_it(ask, worker, merchant, settings):
    ids = open_case(worker, merchant)
    other = make_merchant(worker, settings.credentials_key, "zenith")
    assert ask("/v1/cases", other.api_key).json()["items"] == []
    for path in (f"/v1/cases/{ids['case']}", f"/v1/obligations/{ids['obligation']}"):
        assert ask(path).status_code == 200
        answer = ask(path, other.api_key)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert ask("/v1/overview", other.api_key).json()["obligations"] == 0


def test_the_overview_counts_and_never_adds_currencies_up(ask, worker, merchant):
    open_case(worker, merchant, due=10_000)
    open_case(worker, merchant, due=20_000, back=20_000, state="recovered")
    open_case(worker, merchant, due=500, currency="JPY", state="exhausted")
    found = ask("/v1/overview").json()
    assert (found["obligations"], found["failures"], found["inbox_pending"]) == (3, 3, 0)
    assert found["cases"] == {"retrying": 1, "recovered": 1, "exhausted": 1}
    assert found["attempts"] == {"merchant": {"failed": 3}}
    money = {row.pop("currency"): row for row in found["money"]}
    assert money == {
        "INR": {"at_risk_minor": 10_000, "recovered_minor": 20_000, "lost_minor": 0},
        "JPY": {"at_risk_minor": 0, "recovered_minor": 0, "lost_minor": 500},
    }


def test_connections_are_listed_without_their_secrets(ask, merchant):
    answer = ask("/v1/connections")
    assert {item["psp"] for item in answer.json()["items"]} == {"stripe", "razorpay"}
    assert "whsec" not in answer.text
    assert "credentials" not in answer.text


def test_too_many_requests_of_a_key_and_too_many_guesses(database, worker, credentials_key):
    limited = settings_of(database.url, credentials_key, rate_limit_rules="3/hour")
    merchant = make_merchant(worker, limited.credentials_key)
    with serving(limited) as client:
        for key, before, code in ((merchant.api_key, 200, 3), ("tk_guess", 401, 3)):
            answers = [
                client.get("/v1/overview", headers={"X-API-KEY": key}) for _ in range(code + 1)
            ]
            assert [answer.status_code for answer in answers] == [before] * 3 + [429]
            assert answers[-1].json()["code"] == "rate_limited"
            assert 0 < int(answers[-1].headers["retry-after"]) <= 3600


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"rate_limit_rules": "often"}, "RATE_LIMIT_RULES"),
        ({"credentials_key": "short"}, "CREDENTIALS_KEY"),
        ({"redis_url": "nosuch://x"}, "REDIS_URL"),
    ],
)
def test_a_malformed_setting_stops_the_start_and_is_named(
    database, credentials_key, changes, named
):
    changed = {"key": credentials_key} | changes
    key = changed.pop("credentials_key", changed.pop("key"))
    with (
        pytest.raises(SettingsError, match=named),
        serving(settings_of(database.url, key, **changed)),
    ):
        pass


def test_an_unknown_path_and_a_wrong_method_are_problems(client):
    for answer, status in ((client.get("/v1/nothing"), 404), (client.put("/v1/cases"), 405)):
        assert answer.status_code == status == answer.json()["status"]
        assert answer.headers["content-type"] == "application/problem+json"


def test_readiness_says_each_part(client, merchant):
    answer = client.get("/readyz")
    parts = answer.json()["parts"]
    assert answer.status_code == 200
    assert parts["postgres"]["state"] == "up"
    # the tests' stack has no ClickHouse and no mail: said, and not needed to take webhooks
    assert parts["clickhouse"]["state"] == parts["mail"]["state"] == "down"
    assert not parts["clickhouse"]["needed"]
    assert parts["partitions"]["state"] in ("up", "warning")


def test_a_missing_partition_of_this_month_is_not_ready(client, merchant, database):
    from sqlalchemy import text

    name = f"inbox_events_{datetime.now(UTC):%Y_%m}"
    with database.owner.begin() as connection:
        connection.execute(text(f"alter table inbox_events detach partition {name}"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert name in answer.json()["parts"]["partitions"]["detail"]
