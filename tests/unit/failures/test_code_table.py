import datetime
from pathlib import Path

import pytest
import yaml

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.failures.classifier import ErrorInfo, classify
from tinko_pipelines.core.failures.codetable import (
    DEFAULT_ROW,
    CodeTable,
    MatchKind,
    default_table,
    parse_rows,
)
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice, WhoActs

HERE = Path(__file__).parent
REASONS = (HERE / "razorpay_error_reasons.txt").read_text().split()
STRIPE = {
    group: codes.split()
    for group, codes in yaml.safe_load((HERE / "stripe_codes.yaml").read_text()).items()
}
VISA_NEVER = ["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"]
MASTERCARD = {
    "never": ["03", "21"],
    "payer_action": ["01"],
    "timed": ["02", *map(str, range(24, 31))],
}


def decline(code):
    return classify(ErrorInfo(psp="stripe", code="card_declined", decline_code=code))


def test_every_documented_code_has_a_row():
    table = default_table()
    wanted = [(MatchKind.REASON, ("razorpay", reason, "", "")) for reason in REASONS]
    for group, codes in STRIPE.items():
        kind = MatchKind.ADVICE_CODE if group == "advice" else MatchKind.DECLINE_CODE
        wanted += [(kind, ("stripe", code)) for code in codes]
    wanted += [(MatchKind.NETWORK_DECLINE_CODE, ("visa", code.lower())) for code in VISA_NEVER]
    wanted += [
        (MatchKind.NETWORK_ADVICE_CODE, ("mastercard", code))
        for codes in MASTERCARD.values()
        for code in codes
    ]
    assert len(wanted) > 180
    assert [key for kind, key in wanted if table.find(kind, *key) is None] == []


def test_every_row_is_complete_and_dated():
    rows = default_table().rows
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert 0 <= row.confidence <= 1, row.id
        assert row.source, row.id
        assert isinstance(row.date, datetime.date), row.id
        assert row.code == row.code.strip().lower(), row.id
    advice_only = {row.kind for row in rows if row.category is None}
    assert advice_only == {MatchKind.ADVICE_CODE, MatchKind.NETWORK_ADVICE_CODE}


@pytest.mark.parametrize(
    ("group", "advice"),
    [
        ("never", {RetryAdvice.NEVER}),
        ("never_retry", {RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION}),
        ("timed", {RetryAdvice.TIMED}),
        ("ambiguous", {RetryAdvice.CAUTIOUS}),
        ("payer_must_act", {RetryAdvice.PAYER_ACTION}),
        ("merchants_fault", {RetryAdvice.NEVER}),
    ],
)
def test_stripe_groups_get_the_advice_stripe_gives(group, advice):
    answers = {code: decline(code) for code in STRIPE[group]}
    assert {code: a for code, a in answers.items() if a.retry_advice not in advice} == {}
    hard = advice <= {RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION}
    assert {a.hard for a in answers.values()} == {hard}


def test_stripe_groups_get_their_category_and_actor():
    assert {decline(c).category for c in STRIPE["ambiguous"]} == {Category.DO_NOT_HONOR}
    for code in STRIPE["merchants_fault"]:
        assert decline(code).category is Category.MERCHANT_FAULT
        assert decline(code).who_acts is WhoActs.MERCHANT
    assert {decline(code).who_acts for code in STRIPE["payer_must_act"]} == {WhoActs.PAYER}


def test_network_codes_get_the_networks_advice():
    for code in VISA_NEVER:
        answer = classify(ErrorInfo(network="visa", network_decline_code=code))
        assert answer.retry_advice is RetryAdvice.NEVER, code
        assert answer.row == f"visa.network_decline_code.{code}"
    for advice, codes in MASTERCARD.items():
        for code in codes:
            answer = classify(ErrorInfo(network="mastercard", network_advice_code=code))
            assert answer.retry_advice == advice, code


@pytest.mark.parametrize(
    "reason",
    [
        "deemed_transaction",
        "request_timed_out",
        "payment_timed_out",
        "payment_pending",
        "invalid_response_from_gateway",
    ],
)
def test_an_outcome_nobody_knows_is_polled_and_blocks_a_new_order(reason):
    answer = classify(ErrorInfo(psp="razorpay", code="GATEWAY_ERROR", reason=reason))
    assert answer.category is Category.OUTCOME_UNKNOWN
    assert answer.retry_advice is RetryAdvice.POLL
    assert answer.late_authorisation


def test_poll_and_outcome_unknown_go_together_and_late_means_unconfirmed():
    for row in default_table().rows:
        polled = row.retry_advice is RetryAdvice.POLL
        assert polled == (row.category is Category.OUTCOME_UNKNOWN), row.id
        assert row.late_authorisation or not polled, row.id


def entry(**changes):
    row = {"code": "x", "category": "fraud_risk", "retry_advice": "never", "who_acts": "payer"}
    return row | {"confidence": 0.5} | changes


def group(*rows, kind="decline_code"):
    return [
        {"psp": "p", "kind": kind, "source": "s", "date": datetime.date(2026, 1, 1)}
        | {"rows": rows}
    ]


@pytest.mark.parametrize(
    "document",
    [
        group(entry(confidence=1.1)),
        group(entry(retry_advice="timed")),  # a hard category that would be retried
        group(entry(category="no_such_category")),
        group(entry(generic=True)),
        group(entry(error_source="customer")),
        group(entry(unheard_of=1)),
        group({"code": "x"}),
    ],
)
def test_a_wrong_row_is_named_when_the_table_is_read(document):
    with pytest.raises(SettingsError, match=r"p\.decline_code\.x"):
        parse_rows(document)


def test_two_rows_for_one_code_are_refused():
    with pytest.raises(SettingsError, match="two rows match"):
        CodeTable(parse_rows(group(entry(), entry(confidence=0.6))))


def test_the_default_row_is_unsure():
    assert DEFAULT_ROW.id == "default.unknown"
    assert DEFAULT_ROW.confidence <= 0.2
