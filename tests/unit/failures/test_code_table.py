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
NETWORKS = {
    group: str(codes).split()
    for group, codes in yaml.safe_load((HERE / "network_codes.yaml").read_text()).items()
}
VISA_NEVER = ["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"]
MASTERCARD = {
    "never": ["03", "21"],
    "payer_action": ["01"],
    "timed": ["02", *map(str, range(24, 31))],
}


def decline(code):
    return classify(ErrorInfo(psp="stripe", code="card_declined", decline_code=code))


def test_every_documented_code_of_the_psps_has_a_row():
    table = default_table()
    assert len(REASONS) == 111
    wanted = [(MatchKind.REASON, ("razorpay", reason, "", "")) for reason in REASONS]
    for group, codes in STRIPE.items():
        kind = MatchKind.ADVICE_CODE if group == "advice" else MatchKind.DECLINE_CODE
        wanted += [(kind, ("stripe", code)) for code in codes]
    assert len(wanted) > 170
    assert [key for kind, key in wanted if table.find(kind, *key) is None] == []


@pytest.mark.parametrize("group", [group for group in NETWORKS if group != "mastercard_advice"])
def test_every_documented_code_of_the_networks_is_mapped(group):
    network = group.partition("_")[0]
    answers = {
        code: classify(ErrorInfo(network=network, network_decline_code=code))
        for code in NETWORKS[group]
    }
    unmapped = [code for code, answer in answers.items() if answer.category is Category.UNKNOWN]
    assert unmapped == []
    assert {answer.row.split(".")[0] for answer in answers.values()} <= {network, "iso8583"}


def test_every_advice_code_of_mastercard_is_mapped():
    find = default_table().find
    codes = NETWORKS["mastercard_advice"]
    missing = [c for c in codes if not find(MatchKind.NETWORK_ADVICE_CODE, "mastercard", c)]
    assert missing == []


def test_the_lists_are_whole_and_name_no_code_twice():
    # sections 3.1, 4.1 and 4.4 name 225 codes, of which 00 is success
    assert {group: len(codes) for group, codes in NETWORKS.items() if group.startswith("upi_")} == {
        "upi_3_1_debit_and_credit": 109,
        "upi_4_1_timeouts": 7,
        "upi_4_4_service_layer": 108,
        "upi_apps": 21,
        "upi_mandates": 14,
    }
    assert [g for g, codes in NETWORKS.items() if len(set(codes)) != len(codes)] == []


def test_a_network_without_rows_of_its_own_means_what_iso_8583_says():
    for network in ("jcb", "diners", "maestro", "unionpay", "never_heard_of", None):
        answer = classify(ErrorInfo(network=network, network_decline_code="51"))
        assert answer.row == "iso8583.network_decline_code.51"
    # UPI spells other things with the same letters: 15 is a bank that is not live there
    assert classify(ErrorInfo(network="upi", network_decline_code="51")).row == "default.unknown"
    assert classify(ErrorInfo(network="NPCI", network_decline_code="15")).row.startswith("upi.")


def test_an_upi_timeout_on_the_debit_is_read_and_never_retried():
    for code in ("U67", "UT", "RB", "U53", "VE", "U01", "68"):
        network = "rupay" if code == "68" else "upi"
        answer = classify(ErrorInfo("razorpay", network=network, network_decline_code=code))
        assert answer.retry_advice is RetryAdvice.POLL, code
        assert answer.late_authorisation, code
    early = classify(ErrorInfo("razorpay", network="upi", network_decline_code="U09"))
    assert early.retry_advice is RetryAdvice.TIMED


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
        group(entry(retry_advice="poll")),  # and nothing else is polled
        group(entry(category="outcome_unknown")),
        group({"code": "x"}),
    ],
)
def test_a_wrong_row_is_named_when_the_table_is_read(document):
    with pytest.raises(SettingsError, match=r"p\.decline_code\.x"):
        parse_rows(document)


def test_one_entry_may_stand_for_several_codes():
    shared = entry()
    del shared["code"]
    rows = parse_rows(group(shared | {"codes": "x Y"}))
    assert [(row.id, row.code) for row in rows] == [
        ("p.decline_code.x", "x"),
        ("p.decline_code.Y", "y"),
    ]


def test_two_rows_for_one_code_are_refused():
    with pytest.raises(SettingsError, match="two rows match"):
        CodeTable(parse_rows(group(entry(), entry(confidence=0.6))))


def test_the_default_row_is_unsure():
    assert DEFAULT_ROW.id == "default.unknown"
    assert DEFAULT_ROW.confidence <= 0.2
