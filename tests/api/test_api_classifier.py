"""POST /v1/classifier, and a merchant's own rules from saving to the failures they decide."""

import json
from datetime import UTC, datetime

from sqlalchemy import insert, text

from tests.api.deliveries import make_merchant, serving, settings_of
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables.ledger import attempts
from tinko_pipelines.core.failures.classifier import ErrorInfo, classify
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.ids import new_id

NOW = datetime.now(UTC).replace(microsecond=0)
RULE = {
    "match": {"psp": "stripe", "decline_code": "do_not_honor"},
    "category": "insufficient_funds",
    "retry_advice": "timed",
    "who_acts": "nobody",
}
CHARGE = {
    "id": "ch_3Q0000000000000000000001",
    "object": "charge",
    "status": "failed",
    "amount": 49900,
    "currency": "usd",
    "created": 1_790_000_000,
    "failure_code": "card_declined",
    "outcome": {
        "type": "issuer_declined",
        "reason": "insufficient_funds",
        "network_decline_code": "51",
        "advice_code": "try_again_later",
    },
    "payment_method_details": {"type": "card", "card": {"brand": "visa"}},
}
PAYMENT = {
    "id": "pay_Q00000000000001",
    "entity": "payment",
    "status": "failed",
    "amount": 49900,
    "currency": "INR",
    "created_at": 1_790_000_000,
    "method": "upi",
    "error_code": "GATEWAY_ERROR",
    "error_reason": "payment_timed_out",
    "error_source": "customer",
    "error_step": "payment_authentication",
}


def stripe_event(kind, about):
    return {"id": "evt_1", "object": "event", "type": kind, "created": 1_790_000_001} | {
        "data": {"object": about}
    }


def razorpay_event(entity):
    return {
        "entity": "event",
        "event": "payment.failed",
        "payload": {"payment": {"entity": entity}},
    }


def ask(client, merchant, **body):
    return client.post("/v1/classifier", json=body, headers={"X-API-KEY": merchant.api_key})


def put(client, merchant, *rules, **more):
    return client.put(
        "/v1/classifier/rules",
        json={"rules": list(rules)} | more,
        headers={"X-API-KEY": merchant.api_key},
    )


def held(client, merchant, path=""):
    return client.get(f"/v1/classifier/rules{path}", headers={"X-API-KEY": merchant.api_key})


def test_a_key_is_asked_for(client):
    for answer in (
        client.post("/v1/classifier", json={"code": "x"}),
        client.get("/v1/classifier/rules"),
    ):
        assert answer.status_code == 401


SAMPLES = [
    ({"event": stripe_event("charge.failed", CHARGE)}, "visa.network_decline_code.51"),
    (
        {
            "event": stripe_event(
                "payment_intent.payment_failed",
                {
                    "id": "pi_1",
                    "object": "payment_intent",
                    "last_payment_error": {
                        "code": "card_declined",
                        "decline_code": "stolen_card",
                    },
                },
            )
        },
        "stripe.decline_code.stolen_card",
    ),
    ({"event": razorpay_event(PAYMENT)}, "razorpay.reason.payment_timed_out"),
    (
        {"error": {"psp": "razorpay", "network": "npci", "network_decline_code": "U67"}},
        "upi.network_decline_code.U67",
    ),
    ({"code": "51"}, "iso8583.network_decline_code.51"),
    ({"code": "57", "network": "Visa"}, "visa.network_decline_code.57"),
    ({"code": "91", "network": "jcb"}, "iso8583.network_decline_code.91"),
    ({"code": "03", "network": "mastercard"}, "mastercard.network_advice_code.03"),
    ({"code": "U69"}, "upi.network_decline_code.U69"),
    ({"code": "INSUFFICIENT_FUNDS", "psp": "razorpay"}, "razorpay.reason.insufficient_funds"),
    ({"code": "insufficient_funds", "psp": "stripe"}, "stripe.decline_code.insufficient_funds"),
    ({"code": "rate_limit", "psp": "stripe"}, "stripe.code.rate_limit"),
    ({"code": "never_heard_of", "psp": "stripe"}, "default.unknown"),
]


def test_a_sample_is_classified_and_explained(client, merchant):
    for asked, row in SAMPLES:
        expect(ask(client, merchant, **asked), row)


def expect(response, row):
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["decided_by"]["id"] == row
    assert answer["decided_by"]["source"]
    assert answer["decided_by"]["date"]
    assert answer["won"] == answer["decided_by"]["kind"]
    scalar = classify(ErrorInfo(**answer["read"]))
    for name in ("category", "retry_advice", "hard", "who_acts", "confidence"):
        assert answer[name] == getattr(scalar, name), name
    assert answer["category_label"] != answer["category"]
    gave = [what for one in answer["considered"] for what in one["gave"]]
    assert sorted(gave) == ["advice", "category"]


def test_the_rows_that_lost_say_why(client, merchant):
    answer = ask(client, merchant, event=stripe_event("charge.failed", CHARGE)).json()
    lost = {one["row"]["id"]: one["lost"] for one in answer["considered"] if one["lost"]}
    assert [*lost] == [
        "stripe.decline_code.insufficient_funds",
        "stripe.advice_code.try_again_later",
        "stripe.code.card_declined",
    ]
    assert "more specific" in lost["stripe.decline_code.insufficient_funds"][0]
    also = ask(client, merchant, code="51").json()["also"]
    assert {"visa", "mastercard", "rupay"} <= {row["owner"] for row in also}


UNREADABLE = [
    {},
    {"code": "x", "error": {}},
    {"error": {}, "psp": "stripe"},
    {"code": ""},
    {"code": "x", "psp": "paypal"},
    {"error": {"decline_code": 5}},
    {"error": {"colour": "red"}},
    {"event": {}},
    {"event": {"data": {"object": {}}}},
    {"event": stripe_event("charge.succeeded", CHARGE | {"status": "succeeded"})},
    {"event": stripe_event("charge.failed", CHARGE | {"created": 10**30})},
    {"event": razorpay_event({"status": "failed"})},
    {"event": {"event": "payment.failed", "payload": {"payment": []}}},
]


def test_what_cannot_be_classified_is_refused(client, merchant):
    for asked in UNREADABLE:
        response = ask(client, merchant, **asked)
        assert response.status_code == 422, (asked, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["detail"]


def test_a_body_that_is_too_large_is_a_problem_like_any_other(client, merchant):
    headers = {"X-API-KEY": merchant.api_key, "Content-Type": "application/json"}
    raw = b'{"code": "' + b"x" * 600_000 + b'"}'
    for method, path in (("POST", "/v1/classifier"), ("PUT", "/v1/classifier/rules")):
        response = client.request(method, path, content=raw, headers=headers)
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
        assert response.headers["content-type"] == "application/problem+json"


def test_rules_are_versions_of_one_organisation(client, merchant, add_merchant):
    other = add_merchant("other")
    empty = held(client, merchant).json()
    assert (empty["origin"], empty["version"], empty["rules"]) == ("none", 0, [])

    saved = put(client, merchant, RULE, based_on=0)
    assert saved.status_code == 200, saved.text
    assert saved.json()["version"] == 1
    assert put(client, merchant, based_on=1).json()["version"] == 2
    stale = put(client, merchant, RULE, based_on=1)
    assert (stale.status_code, stale.json()["code"]) == (409, "rules_changed")
    assert stale.json()["newest"] == 2

    now = held(client, merchant).json()
    assert (now["origin"], now["version"], now["rules"]) == ("database", 2, [])
    assert [one["version"] for one in now["versions"]] == [2, 1]
    first = held(client, merchant, "/1").json()
    assert first["rules"][0]["match"]["decline_code"] == "do_not_honor"
    assert first["created_by"].startswith("key:")
    assert held(client, merchant, "/3").status_code == 404
    assert held(client, merchant, "/99999999999999").status_code == 422
    assert held(client, other).json()["versions"] == []
    assert held(client, other, "/1").status_code == 404


def test_a_malformed_rule_is_named_and_nothing_is_stored(client, merchant):
    for wrong, where in (
        (RULE | {"retry_advice": "now"}, "rules.1.retry_advice"),
        (RULE | {"match": {"psp": "stripe"}}, "rules.1.match"),
        (RULE | {"note": "a\0b"}, "rules.1.note"),
        (RULE, "rules"),
        (7, "rules.1"),
    ):
        response = put(client, merchant, RULE, wrong)
        assert response.status_code == 422
        assert response.json()["errors"][0]["where"] == where
    assert held(client, merchant).json()["versions"] == []


def test_the_own_rule_wins_and_says_which_version_it_is(client, merchant):
    put(client, merchant, RULE | {"note": "this bank means no money"})
    answer = ask(client, merchant, error=RULE["match"]).json()
    assert (answer["won"], answer["rules"]) == ("override", "v1")
    assert answer["decided_by"]["id"] == "override.v1.0"
    assert "this bank means no money" in answer["decided_by"]["source"]
    lost = answer["considered"][1]
    assert lost["row"]["id"] == "stripe.decline_code.do_not_honor"
    assert "own rule override.v1.0 says otherwise" in lost["lost"][0]


def failed_attempt(connection, merchant, error):
    row = {
        "id": new_id(NOW),
        "obligation_id": new_id(NOW),
        "org_id": merchant.org_id,
        "connection_id": merchant.stripe,
        "psp": "stripe",
        "actor": "merchant",
        "state": "failed",
        "amount_minor": 100,
        "currency": "USD",
        "error": error,
        "occurred_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    connection.execute(insert(attempts), row)
    return row["id"]


def test_failures_follow_the_rules_of_their_own_organisation(
    client, merchant, add_merchant, worker
):
    other = add_merchant("other")
    put(client, merchant, RULE)
    said = {"code": "card_declined", "decline_code": "do_not_honor"}
    with unit_of_work(worker) as connection:
        ids = [
            failed_attempt(connection, one, error)
            for one, error in (
                (merchant, said),
                (other, said),
                (merchant, said | {"network": "visa", "network_decline_code": "43"}),
                (other, None),
            )
        ]
    report = classify_failures(worker, FixedClock(NOW))
    assert (report.total, report.unknown) == (4, 1)
    assert classify_failures(worker, FixedClock(NOW)).total == 0
    with unit_of_work(worker) as connection:
        rows = connection.execute(text("select * from failures")).mappings()
        stored = {row["attempt_id"]: row for row in rows}
    assert [stored[one]["decided_by"] for one in ids] == [
        "override.v1.0",
        "stripe.decline_code.do_not_honor",
        "visa.network_decline_code.43",
        "default.unknown",
    ]
    assert [stored[one]["category"] for one in ids] == [
        "insufficient_funds",
        "do_not_honor",
        "insufficient_funds",
        "unknown",
    ]
    assert stored[ids[2]]["hard"] is True
    assert stored[ids[2]]["network_decline_code"] == "43"


def test_the_environments_rules_hold_until_an_organisation_saves_its_own(
    database, credentials_key, worker
):
    environment = json.dumps({"rules": [RULE]})
    settings = settings_of(database.url, credentials_key, payment_failure_rules=environment)
    merchant = make_merchant(worker, settings.credentials_key)
    with serving(settings) as client:
        now = held(client, merchant).json()
        assert (now["origin"], now["version"], len(now["rules"])) == ("environment", 0, 1)
        answer = ask(client, merchant, error=RULE["match"]).json()
        assert answer["decided_by"]["id"] == "override.environment.0"
        put(client, merchant)
        answer = ask(client, merchant, error=RULE["match"]).json()
        assert answer["decided_by"]["id"] == "stripe.decline_code.do_not_honor"
