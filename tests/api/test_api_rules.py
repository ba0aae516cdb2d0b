"""/v1/rules: keeping, refusing, explaining, and a draft tried on the past."""

import json
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from tests.api.deliveries import make_merchant
from tests.api.test_api_reads import NOW, open_case
from tinko_pipelines.core.rules.vocabulary import MAX_RULES

STOP = [{"do": "stop"}]
BIG = {"amount": {"ge": 40_000, "currency": "INR"}}
RULE = {
    "name": "big ones",
    "when": {"all": [BIG, {"not": {"psp": {"eq": "razorpay"}}}]},
    "then": STOP,
}


@pytest.fixture
def ask(client, merchant):
    def send(method, path, body=None, key=merchant.api_key, raw=None):
        content = raw if raw is not None else None if body is None else json.dumps(body)
        headers = {"X-API-KEY": key} if key else {}
        return client.request(method, f"/v1/rules{path}", content=content, headers=headers)

    return send


def faults(answer, status=422, code="rule_invalid"):
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code), told
    return [one["path"] for one in told.get("errors", [])]


def test_a_rule_lives_and_comes_back(ask):
    made = ask("POST", "", RULE | {"place": 5})
    assert made.status_code == 201
    rule = made.json()
    assert {key: rule[key] for key in RULE} == RULE  # the tree as it was sent, and nothing added
    assert (rule["version"], rule["place"], rule["deleted"]) == (1, 5, False)
    assert rule["created_by"].startswith("key:")
    one = f"/{rule['id']}"
    assert ask("GET", one).json() == rule
    edited = ask("PUT", one, RULE | {"name": "bigger", "version": 1}).json()
    assert (edited["version"], edited["name"], edited["place"]) == (2, "bigger", 5)
    late = ask("PUT", one, RULE | {"version": 1})
    assert faults(late, 409, "conflict") == []
    assert late.json()["version"] == 2
    assert ask("DELETE", one).json()["deleted"] is True
    assert faults(ask("DELETE", one), 409, "conflict") == []
    assert ask("GET", "").json() == {"items": []}
    assert [item["id"] for item in ask("GET", "?deleted=true").json()["items"]] == [rule["id"]]
    back = ask("POST", f"{one}/restore", {"version": 1}).json()
    assert (back["version"], back["name"], back["deleted"]) == (4, "big ones", False)
    assert faults(ask("POST", f"{one}/restore"), 409, "conflict") == []
    ask("DELETE", one)
    assert ask("POST", f"{one}/restore").json()["version"] == 6
    told = ask("GET", f"{one}/versions").json()["items"]
    assert [item["version"] for item in told] == [6, 5, 4, 3, 2, 1]
    assert [item["deleted"] for item in told] == [False, True, False, True, False, False]


def test_rules_are_asked_in_another_order(ask):
    ids = [ask("POST", "", RULE | {"name": name}).json()["id"] for name in "abc"]
    moved = ask("POST", "/order", {"rule_ids": ids[::-1]}).json()["items"]
    assert [item["name"] for item in moved] == ["c", "b", "a"]
    assert ask("GET", "").json()["items"] == moved
    faults(ask("POST", "/order", {"rule_ids": ids[:2]}), code="invalid_input")
    assert faults(ask("POST", "/order", {"rule_ids": ["x"]})) == ["rule_ids[0]"]


MALFORMED_RULES = [
    ({"name": ""}, ["name"]),
    ({"name": 5, "place": 0, "colour": "red"}, ["name", "place", "colour"]),
    ({"when": {"all": [BIG, BIG, {"not": {"amount": {"ge": -5, "currency": "INR"}}}]}},
     ["when.all[2].not.amount.ge"]),
    ({"when": {"amount": {"ge": 1.5, "currency": "ZZZ"}}},
     ["when.amount.ge", "when.amount.currency"]),
    ({"when": {"code": {"eq": "a\x00b"}}}, ["when.code.eq"]),
    ({"name": "half a pair \ud800"}, ["name"]),
    ({"then": [*STOP, {"do": "retry_in", "hours": 1}]}, ["then[1]"]),
    ({"name": "", "when": {"any": []}, "then": []}, ["name", "when.any", "then"]),
]  # fmt: skip


def test_a_malformed_rule_is_refused_by_path_and_not_stored(ask):
    for change, paths in MALFORMED_RULES:
        assert faults(ask("POST", "", RULE | change)) == paths
    assert ask("GET", "?deleted=true").json() == {"items": []}


def nested(depth):
    return '{"not":' * depth + json.dumps(BIG) + "}" * depth


HOSTILE_BODIES = [
    (b"", 422, "rule_invalid"),
    (b"[]", 422, "rule_invalid"),
    (b"\xff", 400, "body_not_json"),
    (b'{"name": NaN}', 400, "body_not_json"),
    (b'{"name": 1' + b"0" * 5000 + b"}", 400, "body_not_json"),
    (f'{{"name": "x", "when": {nested(8)}, "then": []}}'.encode(), 422, "rule_invalid"),
    (f'{{"name": "x", "when": {nested(50_000)}, "then": []}}'.encode(), 400, "body_not_json"),
    (b'{"name": "' + b"x" * 1_100_000 + b'"}', 413, "body_too_large"),
]


def test_hostile_bodies_get_a_clear_answer(ask):
    for raw, status, code in HOSTILE_BODIES:
        for method, path in (("POST", ""), ("PUT", f"/{uuid4()}"), ("POST", "/evaluate")):
            faults(ask(method, path, raw=raw), status, code)
    assert ask("GET", "?deleted=true").json() == {"items": []}


@pytest.mark.parametrize("key", [None, "tk_guess"])
def test_every_route_needs_a_key(ask, key):
    rule = f"/{uuid4()}"
    for method, path in [
        ("GET", ""), ("POST", ""), ("POST", "/order"), ("POST", "/evaluate"),
        ("POST", "/backtest"), ("GET", rule), ("PUT", rule), ("DELETE", rule),
        ("POST", f"{rule}/restore"), ("GET", f"{rule}/versions"),
    ]:  # fmt: skip
        # with no key the body is not even read: what is too large is not said
        answer = ask(
            method, path, key=key, raw=b"x" * 1_100_000 if method in ("POST", "PUT") else None
        )
        faults(answer, 401, "unauthenticated")


def test_another_organisation_has_its_own_rules(ask, worker, settings):
    rule = ask("POST", "", RULE).json()["id"]
    key = make_merchant(worker, settings.credentials_key, "zenith").api_key
    assert ask("GET", "", key=key).json() == {"items": []}
    for method, path, body in [
        ("GET", f"/{rule}", None), ("PUT", f"/{rule}", RULE), ("DELETE", f"/{rule}", None),
        ("POST", f"/{rule}/restore", {}), ("GET", f"/{rule}/versions", None),
    ]:  # fmt: skip
        faults(ask(method, path, body, key=key), 404, "not_found")
    assert faults(ask("POST", "/backtest", {"without": [rule]}, key=key)) == ["without"]
    assert ask("GET", f"/{rule}").json()["version"] == 1


def test_drafts_and_kept_rules_are_tried_on_a_failure_and_explained(ask):
    facts = {"amount": 50_000, "currency": "INR", "psp": "stripe", "payer_country": "US"}
    facts["at"] = "2026-09-16T12:00:00Z"
    none = ask("POST", "/evaluate", {"facts": facts}).json()
    assert none == {"fired": None, "explanations": []}
    kept = ask("POST", "", RULE).json()
    fired = ask("POST", "/evaluate", {"facts": facts}).json()["fired"]
    assert fired == {"rule_id": kept["id"], "version": 1, "name": "big ones", "actions": STOP}
    evening = {"local_time": {"between": ["17:30", "18:00"]}}
    payer = {"local_time": {"is_missing": False, "zone": "payer"}}
    drafts = [
        {"name": "payer", "when": payer, "then": STOP},
        {"name": "evening", "when": {"all": [evening, {"country": {"eq": "US"}}]}, "then": STOP},
    ]  # fmt: skip
    told = ask("POST", "/evaluate", {"facts": facts, "rules": drafts}).json()
    # the United States keep several times: the payer's is not known
    assert [one["holds"] for one in told["explanations"]] == [False, True]
    assert told["fired"]["name"] == "evening"
    first = told["explanations"][1]["when"]["parts"][0]
    assert first == {
        "path": "when.all[0]", "holds": True, "kind": "comparison", "seen": 17 * 60 + 30,
        "test": evening,
    }  # fmt: skip


MALFORMED_QUESTIONS = [
    ({}, ["facts"]),
    ({"facts": {"amount": -1, "currency": "XYZ"}}, ["facts.amount", "facts.currency"]),
    ({"facts": {"at": "0001-01-01T00:00:00Z"}}, ["facts.at"]),
    ({"facts": {}, "rules": RULE}, ["rules"]),
    ({"facts": {}, "rules": [RULE, {"name": "x"}]}, ["rules[1].when", "rules[1].then"]),
    ({"facts": {}, "rules": [RULE] * (MAX_RULES + 1)}, ["rules"]),
]


def test_a_malformed_question_is_told_by_path(ask):
    for body, paths in MALFORMED_QUESTIONS:
        assert faults(ask("POST", "/evaluate", body)) == paths


def test_a_draft_is_tried_on_the_past(ask, worker, merchant):
    ids = [open_case(worker, merchant, due=50_000, age=3), open_case(worker, merchant, due=10_000)]
    open_case(worker, merchant, due=500, currency="JPY")
    everything = {
        "name": "all",
        "when": {"psp": {"eq": "stripe"}},
        "then": [{"do": "wait", "hours": 1}],
    }
    told = ask("POST", "/backtest", {"rule": RULE}).json()
    assert (told["failures"], told["debts"], told["truncated"]) == (3, 3, False)
    assert (told["changed_failures"], told["changed_debts"]) == (1, 1)
    assert told["money"] == [{"currency": "INR", "minor": 50_000, "debts": 1}]
    [change] = told["changes"]
    assert (change["before"], change["after"]) == ("policy", "stop")
    [sample] = change["samples"]
    assert sample["attempt_id"] == str(ids[0]["attempt"])
    assert sample["obligation_id"] == str(ids[0]["obligation"])
    assert (sample["rule_before"], sample["rule_after"]) == (None, "big ones")
    assert datetime.fromisoformat(sample["failed_at"]) == NOW - timedelta(minutes=3)
    assert told["fires"] == [{"name": "big ones", "place": 1, "failures": 1}]

    kept = ask("POST", "", RULE).json()["id"]
    assert ask("POST", "/backtest", {"rule": RULE}).json()["changed_failures"] == 0
    instead = ask("POST", "/backtest", {"rule": everything, "rule_id": kept}).json()
    assert {(one["before"], one["after"]): one["failures"] for one in instead["changes"]} == {
        ("policy", "wait"): 2, ("stop", "wait"): 1,
    }  # fmt: skip
    assert instead["money"] == [
        {"currency": "INR", "minor": 60_000, "debts": 2},
        {"currency": "JPY", "minor": 500, "debts": 1},
    ]
    without = ask("POST", "/backtest", {"without": [kept]}).json()
    assert [(one["before"], one["after"]) for one in without["changes"]] == [("stop", "policy")]
    assert ask("POST", "/backtest", {"rules": []}).json()["changed_failures"] == 1
    limited = ask("POST", "/backtest", {"rules": [everything], "limit": 2}).json()
    assert (limited["failures"], limited["truncated"]) == (2, True)
    assert ask("GET", "").json()["items"][0]["version"] == 1  # nothing was stored


MALFORMED_BACKTESTS = [
    ({}, ["body"]),
    ({"rule": RULE, "rules": []}, ["body"]),
    ({"rules": [], "rule_id": str(uuid4())}, ["rule_id"]),
    ({"rule": RULE, "rule_id": str(uuid4())}, ["rule_id"]),
    ({"rule": RULE, "rule_id": "7"}, ["rule_id"]),
    ({"rules": [], "limit": 0}, ["limit"]),
    ({"rules": [], "limit": 10**9}, ["limit"]),
    ({"rule": RULE | {"when": 1}}, ["rule.when"]),
]


def test_a_malformed_backtest_is_told_by_path(ask):
    for body, paths in MALFORMED_BACKTESTS:
        assert faults(ask("POST", "/backtest", body)) == paths


def test_the_description_of_the_api_is_whole(client):
    described = client.get("/openapi.json").json()
    names = set(described["components"]["schemas"])
    text = json.dumps(described)
    wanted = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert wanted <= names
    assert "requestBody" in described["paths"]["/v1/rules"]["post"]
