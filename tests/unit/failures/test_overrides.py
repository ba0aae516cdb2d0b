"""A merchant's own rules: what they may say, what they match, and what they cannot undo."""

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.errors import InvalidInput, SettingsError
from tinko_pipelines.core.failures.classifier import ErrorInfo, classify
from tinko_pipelines.core.failures.explain import explain
from tinko_pipelines.core.failures.override_rules import (
    MAX_RULES,
    Origin,
    Overrides,
    parse_rules,
    parse_rules_text,
)
from tinko_pipelines.core.failures.overrides import environment_overrides
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice, WhoActs
from tinko_pipelines.core.settings import get_settings

RETRY = {"category": "insufficient_funds", "retry_advice": "timed", "who_acts": "nobody"}
ASK = {"category": "expired_instrument", "retry_advice": "payer_action", "who_acts": "payer"}


def rules(*pairs):
    document = {"rules": [{"match": match} | given for match, given in pairs]}
    return Overrides(parse_rules(document), Origin(3, date(2026, 11, 23)))


def test_a_rule_decides_category_and_advice():
    own = rules(({"psp": "stripe", "decline_code": "do_not_honor"}, RETRY))
    said = ErrorInfo("stripe", code="card_declined", decline_code="do_not_honor")
    answer = classify(said, overrides=own)
    assert (answer.category, answer.retry_advice) == (Category.INSUFFICIENT_FUNDS, "timed")
    assert (answer.who_acts, answer.confidence) == (WhoActs.NOBODY, 1.0)
    assert answer.row == answer.category_row == "override.v3.0"
    assert classify(ErrorInfo("stripe", decline_code="lost_card"), overrides=own) == classify(
        ErrorInfo("stripe", decline_code="lost_card")
    )


def test_the_first_of_several_rules_wins_whatever_they_name():
    said = ErrorInfo("razorpay", reason="payment_failed", source="bank", network="visa")
    narrow = {"psp": "razorpay", "reason": "payment_failed", "source": "bank", "network": "visa"}
    wide = {"reason": "payment_failed"}
    assert classify(said, overrides=rules((narrow, ASK), (wide, RETRY))).row == "override.v3.0"
    first = classify(said, overrides=rules((wide, RETRY), (narrow, ASK)))
    assert (first.row, first.retry_advice) == ("override.v3.0", RetryAdvice.TIMED)


def test_words_match_in_any_spelling_and_a_network_by_each_of_its_names():
    own = rules(({"network": "MasterCard ", "network_decline_code": "05"}, RETRY))
    for name in ("mastercard", "MC", " master card"):
        said = ErrorInfo("stripe", network=name, network_decline_code="05 ")
        assert classify(said, overrides=own).row == "override.v3.0", name
    assert classify(ErrorInfo(network="visa", network_decline_code="05"), overrides=own).row != (
        "override.v3.0"
    )


def test_a_rule_may_undo_what_a_psp_says_but_not_what_a_scheme_forbids():
    own = rules(({"decline_code": "lost_card"}, RETRY), ({"decline_code": "do_not_honor"}, ASK))
    lost = ErrorInfo("stripe", decline_code="lost_card")
    assert classify(lost, overrides=own).retry_advice is RetryAdvice.TIMED
    forbidden = ErrorInfo(
        "stripe", decline_code="lost_card", network="mastercard", network_advice_code="03"
    )
    answer = classify(forbidden, overrides=own)
    assert (answer.category, answer.hard) == (Category.INSUFFICIENT_FUNDS, True)
    assert (answer.row, answer.category_row) == (
        "mastercard.network_advice_code.03",
        "override.v3.0",
    )
    # asking the payer is no retry: there the rule stands
    asks = ErrorInfo(
        "stripe", decline_code="do_not_honor", network="visa", network_decline_code="43"
    )
    assert classify(asks, overrides=own).row == "override.v3.1"


def test_no_rule_hides_that_a_payment_may_still_be_authorised():
    own = rules(({"reason": "deemed_transaction"}, RETRY))
    answer = classify(ErrorInfo("razorpay", reason="deemed_transaction"), overrides=own)
    assert answer.retry_advice is RetryAdvice.TIMED
    assert answer.late_authorisation


def given_by(**changes):
    return {"rules": [{"match": {"psp": "stripe", "code": "x"}} | RETRY | changes]}


@pytest.mark.parametrize(
    ("document", "where"),
    [
        (given_by(match={"psp": "paypal", "code": "x"}), "rules.0.match.psp"),
        (given_by(match={"psp": "stripe"}), "rules.0.match"),
        (given_by(match={"code": "  "}), "rules.0.match.code"),
        (given_by(match={"code": "a\0b"}), "rules.0.match.code"),
        (given_by(match={"code": 51}), "rules.0.match.code"),
        (given_by(match={"code": "x", "colour": "red"}), "rules.0.match.colour"),
        (given_by(category="bad_luck"), "rules.0.category"),
        (given_by(category="unknown"), "rules.0"),
        (given_by(category="fraud_risk"), "rules.0"),  # hard, and yet retried
        (given_by(retry_advice="poll"), "rules.0"),
        (given_by(who_acts=None), "rules.0.who_acts"),
        (given_by(note="x" * 501), "rules.0.note"),
        ({"rules": given_by()["rules"] * 2}, "rules"),  # the second can never match
        ({"rules": given_by()["rules"] * (MAX_RULES + 1)}, "rules"),
        ({"rules": {}}, "rules"),
        ({}, "rules"),
        ([], "rules"),
        (None, "rules"),
        ("rules", "rules"),
    ],
)
def test_a_wrong_rule_is_named_by_its_path(document, where):
    with pytest.raises(InvalidInput) as error:
        parse_rules(document)
    assert error.value.detail.startswith(f"{where}: ")
    assert error.value.extra["errors"][0]["where"] == where


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(json_values, st.text())
def test_garbage_is_refused_and_never_a_crash(document, text):
    for refused in (
        lambda: parse_rules({"rules": [document]}),
        lambda: parse_rules({"rules": [{"match": document} | RETRY]}),
        lambda: parse_rules_text(text),
    ):
        with pytest.raises(InvalidInput):
            refused()


def test_the_depth_of_hostile_json_is_no_crash():
    with pytest.raises(InvalidInput):
        parse_rules_text("[" * 100_000)
    with pytest.raises(InvalidInput):
        parse_rules_text('{"rules": ' + "[" * 5000 + "]" * 5000 + "}")


def test_the_environments_rules(monkeypatch):
    text = json.dumps(given_by())
    own = environment_overrides(text)
    assert own is environment_overrides(text)  # made ready once
    assert classify(ErrorInfo("stripe", code="x"), overrides=own).row == "override.environment.0"
    assert environment_overrides(None) is environment_overrides(" ") is None
    with pytest.raises(SettingsError, match=r"PAYMENT_FAILURE_RULES: rules\.0\.category"):
        environment_overrides(json.dumps(given_by(category="bad_luck")))

    get_settings.cache_clear()
    monkeypatch.setenv("PAYMENT_FAILURE_RULES", json.dumps(given_by(category="bad_luck")))
    with pytest.raises(SettingsError, match=r"PAYMENT_FAILURE_RULES: rules\.0\.category"):
        get_settings()
    monkeypatch.setenv("PAYMENT_FAILURE_RULES", text)
    assert get_settings().payment_failure_rules == text
    get_settings.cache_clear()


def told(error, own=None):
    return {one.row.id: one for one in explain(error, overrides=own).considered}


def test_an_explanation_names_every_row_and_why_it_lost():
    own = rules(({"reason": "payment_failed"}, RETRY), ({"psp": "razorpay", "code": "Y"}, ASK))
    said = ErrorInfo(
        "razorpay",
        code="y",
        reason="payment_failed",
        source="business",
        network="rupay",
        network_decline_code="43",
    )
    rows = told(said, own)
    assert [*rows] == [
        "override.v3.0",
        "override.v3.1",
        "rupay.network_decline_code.43",
        "razorpay.reason.payment_failed@source=business",
    ]
    assert rows["override.v3.0"].gave == ("category",)
    assert "no rule may retry" in rows["override.v3.0"].lost[0]
    assert rows["rupay.network_decline_code.43"].gave == ("advice",)
    assert "override.v3.0 comes first" in rows["override.v3.1"].lost[0]

    rows = told(ErrorInfo("stripe", code="card_declined", decline_code="expired_card",
                          network="mastercard", network_advice_code="02"))  # fmt: skip
    assert "says what to do, not why" in rows["mastercard.network_advice_code.02"].lost[0]
    assert "is stricter" in rows["mastercard.network_advice_code.02"].lost[1]
    assert "a wrapper" in rows["stripe.code.card_declined"].lost[0]


def test_an_explanation_of_the_unknown():
    rows = told(ErrorInfo("stripe", code="card_declined", decline_code="made_up",
                          network="visa", network_decline_code="05"))  # fmt: skip
    assert [*rows] == [
        "visa.network_decline_code.05",
        "stripe.code.card_declined",
        "default.unknown",
    ]
    assert rows["default.unknown"].gave == ("category", "advice")
    assert "beside made_up" in rows["visa.network_decline_code.05"].lost[0]


any_word = st.none() | st.sampled_from(["do_not_honor", "lost_card", "05", "43", "03", "made_up"])
errors = st.builds(
    ErrorInfo,
    psp=st.sampled_from(["stripe", "razorpay"]),
    code=st.sampled_from([None, "card_declined", "expired_card"]),
    decline_code=any_word,
    reason=st.sampled_from([None, "payment_failed", "rule", "made_up"]),
    network=st.sampled_from([None, "visa", "mastercard", "upi"]),
    network_decline_code=any_word,
    network_advice_code=any_word,
)
OWN = rules(
    ({"decline_code": "do_not_honor"}, RETRY),
    ({"network": "visa", "network_decline_code": "43"}, RETRY),
    ({"code": "card_declined", "psp": "stripe"}, ASK),
)


@settings(max_examples=200, deadline=None)
@given(errors, st.sampled_from([None, OWN]))
def test_an_explanation_agrees_with_the_answer(error, own):
    explained = explain(error, overrides=own)
    assert explained.classification == classify(error, overrides=own)
    gave = [(what, one.row.id) for one in explained.considered for what in one.gave]
    answer = explained.classification
    assert sorted(gave) == [("advice", answer.row), ("category", answer.category_row)]
    for one in explained.considered:
        assert (
            len(one.gave) + len(one.lost) == 2
            or "wrapper" in one.lost[0]
            or ("bare code" in one.lost[0])
        )
