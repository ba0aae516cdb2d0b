import dataclasses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tinko_pipelines.core.failures.classifier import FIELDS, ErrorInfo, classify, matching
from tinko_pipelines.core.failures.codetable import MatchKind, default_table
from tinko_pipelines.core.failures.taxonomy import CATEGORIES, Category, RetryAdvice

NETWORK = {"network": "mastercard", "network_advice_code": "21"}
VISA = {"network": "visa", "network_decline_code": "14"}


@pytest.mark.parametrize(
    ("said", "row"),
    [
        ({**NETWORK, "decline_code": "do_not_honor"}, "mastercard.network_advice_code.21"),
        ({**VISA, "decline_code": "do_not_honor"}, "visa.network_decline_code.14"),
        (
            {"decline_code": "expired_card", "code": "card_declined"},
            "stripe.decline_code.expired_card",
        ),
        ({"reason": "rule", "decline_code": "fraudulent"}, "stripe.reason.rule"),
        (
            {"advice_code": "do_not_try_again", "code": "card_declined"},
            "stripe.advice_code.do_not_try_again",
        ),
        ({"code": "card_declined"}, "stripe.code.card_declined"),
        ({"code": "never_heard_of"}, "default.unknown"),
        ({}, "default.unknown"),
    ],
)
def test_the_most_specific_source_decides(said, row):
    assert classify(ErrorInfo(psp="stripe", **said)).row == row


@pytest.mark.parametrize(
    ("narrowing", "row"),
    [
        ({}, "razorpay.reason.payment_failed"),
        ({"source": "bank", "step": "payment_authorization"}, "razorpay.reason.payment_failed"),
        ({"source": "business"}, "razorpay.reason.payment_failed@source=business"),
        (
            {"source": "bank", "step": "payment_authentication"},
            "razorpay.reason.payment_failed@step=payment_authentication",
        ),
        (
            {"source": "customer", "step": "payment_authentication"},
            "razorpay.reason.payment_failed@source=customer@step=payment_authentication",
        ),
    ],
)
def test_a_reason_is_read_with_its_source_and_step(narrowing, row):
    said = ErrorInfo(psp="razorpay", code="BAD_REQUEST_ERROR", reason="payment_failed", **narrowing)
    assert classify(said).row == row


def test_advice_says_what_to_do_and_the_decline_code_says_why():
    answer = classify(
        ErrorInfo(
            "stripe",
            decline_code="insufficient_funds",
            network="mastercard",
            network_advice_code="03",
        )
    )
    assert answer.category is Category.INSUFFICIENT_FUNDS
    assert answer.category_row == "stripe.decline_code.insufficient_funds"
    assert (answer.retry_advice, answer.hard) == (RetryAdvice.NEVER, True)
    assert answer.row == "mastercard.network_advice_code.03"


def test_no_advice_loosens_a_prohibition():
    later = {"network": "mastercard", "network_advice_code": "02"}
    answer = classify(ErrorInfo("stripe", decline_code="stolen_card", **later))
    assert (answer.category, answer.hard) == (Category.LOST_OR_STOLEN, True)
    answer = classify(
        ErrorInfo("stripe", decline_code="generic_decline", advice_code="do_not_try_again")
    )
    assert answer.retry_advice is RetryAdvice.NEVER


def test_a_networks_word_is_more_specific_than_the_psps():
    said = ErrorInfo(
        "stripe", decline_code="do_not_honor", network="visa", network_decline_code="51"
    )
    answer = classify(said)
    assert answer.category is Category.INSUFFICIENT_FUNDS
    assert answer.row == answer.category_row == "visa.network_decline_code.51"


def test_never_is_stricter_than_asking_the_payer():
    asked = {"network": "mastercard", "network_advice_code": "01"}
    answer = classify(ErrorInfo("stripe", decline_code="lost_card", **asked))
    assert answer.row == "stripe.decline_code.lost_card"
    answer = classify(ErrorInfo("stripe", decline_code="do_not_honor", **asked))
    assert answer.row == "mastercard.network_advice_code.01"


def test_no_without_a_reason_leaves_the_word_to_whatever_says_more():
    vague = {"network": "visa", "network_decline_code": "05"}
    funds = classify(ErrorInfo("stripe", decline_code="insufficient_funds", **vague))
    assert funds.row == funds.category_row == "stripe.decline_code.insufficient_funds"
    bare = classify(ErrorInfo("stripe", code="expired_card", **vague))
    assert bare.category_row == "stripe.code.expired_card"
    for code in (None, "card_declined"):
        alone = classify(ErrorInfo("stripe", code=code, **vague))
        assert alone.category_row == "visa.network_decline_code.05"
    upi = {"network": "upi", "network_decline_code": "U30"}
    assert classify(ErrorInfo("razorpay", **upi)).category is Category.DO_NOT_HONOR


def test_a_timeout_anywhere_may_still_be_authorised():
    late = ErrorInfo(
        "razorpay", reason="payment_timed_out", network="upi", network_decline_code="Z9"
    )
    answer = classify(late)
    assert answer.category is Category.INSUFFICIENT_FUNDS
    assert answer.retry_advice is RetryAdvice.POLL
    assert answer.late_authorisation


@pytest.mark.parametrize(
    "said",
    [
        {"psp": "stripe", "decline_code": "made_up", "network_decline_code": "05"},
        {"psp": "razorpay", "reason": "made_up", "network": "upi", "network_decline_code": "U30"},
        {"psp": "stripe", "code": "card_declined", "decline_code": "made_up"},
        {"psp": "razorpay", "code": "BAD_REQUEST_ERROR", "reason": "made_up"},
        {"psp": "razorpay", "code": "SERVER_ERROR", "reason": "made_up", "source": "bank"},
        {"psp": "stripe", "decline_code": "made_up", "advice_code": "try_again_later"},
        {"psp": "paypal", "decline_code": "insufficient_funds"},
        {"psp": "razorpay", "reason": "do_not_honor"},  # a code of the other PSP
    ],
)
def test_an_unknown_code_is_unknown_even_inside_a_known_wrapper(said):
    answer = classify(ErrorInfo(**said))
    assert answer.category is Category.UNKNOWN
    assert answer.category_row == "default.unknown"
    assert answer.confidence <= 0.2
    assert not answer.hard


def test_spelling_does_not_matter():
    plain = classify(ErrorInfo("razorpay", reason="card_expired", network="visa"))
    assert classify(ErrorInfo(" RazorPay", reason="Card_Expired\n", network="Visa")) == plain
    dressed = ErrorInfo(network="American Express", psp="STRIPE", decline_code="\tEXPIRED_CARD ")
    assert classify(dressed).category is Category.EXPIRED_INSTRUMENT
    assert classify(ErrorInfo(network="MasterCard ", network_advice_code="03")).hard


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(FIELDS), json_values), json_values)
def test_garbage_is_unknown_and_never_a_crash(payload, anything):
    for error in (ErrorInfo(**payload), ErrorInfo.of(payload), ErrorInfo.of(anything)):
        answer = classify(error)
        assert answer.category in CATEGORIES
        assert 0 <= answer.confidence <= 1
    assert ErrorInfo.of(anything) == ErrorInfo() or isinstance(anything, dict)


def test_only_text_is_kept_of_untrusted_json():
    kept = ErrorInfo.of({"psp": "stripe", "code": 7, "reason": ["x"], "extra": "y", "step": None})
    assert kept == ErrorInfo(psp="stripe")


def words(kind):
    return st.sampled_from(sorted({key[1] for key in default_table().index[kind]}))


any_error = st.builds(
    ErrorInfo,
    psp=st.sampled_from(["stripe", "razorpay", None]),
    network=st.sampled_from(["visa", "mastercard", "rupay", "upi", "jcb", None]),
    **{
        str(kind): st.none() | words(kind) | st.just("made_up")
        for kind in MatchKind
        if kind not in (MatchKind.DEFAULT, MatchKind.OVERRIDE)
    },
)


@given(any_error)
@example(ErrorInfo(psp="stripe", code="account_closed", network="visa", network_decline_code="121"))
def test_a_hard_category_is_never_retried_and_nothing_known_is_lost(error):
    answer = classify(error)
    if CATEGORIES[answer.category].hard:
        assert answer.hard or answer.retry_advice is RetryAdvice.POLL
    assert answer.hard == (answer.retry_advice in (RetryAdvice.NEVER, RetryAdvice.PAYER_ACTION))
    spoken = [row for row in default_table().rows if row.id in (answer.row, answer.category_row)]
    assert answer.confidence == min(row.confidence for row in spoken)
    if answer.category is Category.UNKNOWN:
        assert answer.confidence <= 0.2
    heard = {row.id for row in matching(error, default_table())}
    for field in ("network_advice_code", "network_decline_code", "advice_code"):
        without = classify(dataclasses.replace(error, **{field: None}))
        # a bare code is heard only where nothing else explains: with the field it was not
        lost = without.hard and without.row in heard
        assert answer.hard or not lost or answer.retry_advice is RetryAdvice.POLL
