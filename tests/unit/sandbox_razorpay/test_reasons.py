"""Failures in Razorpay's words: all of them its own, each method complete."""

from importlib import resources

import pytest
import yaml

from tinko_pipelines.sandbox.payers import AUTH_REQUIRED, HARD, MADE_UP, SOFT
from tinko_pipelines.sandbox.people import MADE_UP_CODES
from tinko_pipelines.sandbox.razorpay import entities
from tinko_pipelines.sandbox.razorpay.reasons import LATE, MAY_BE_LATE, PAUSED, UNTOLD, failure

LUCKS = [n / 97 for n in range(97)]
CODES = sorted({*SOFT, *HARD, AUTH_REQUIRED, PAUSED, UNTOLD, LATE})


@pytest.fixture(scope="module")
def known():
    """The reasons of Razorpay's own list, as the classifier keeps them."""
    files = resources.files("tinko_pipelines.core.failures") / "codes"
    blocks = yaml.safe_load((files / "razorpay.yaml").read_text())
    return {row["code"] for block in blocks if block["kind"] == "reason" for row in block["rows"]}


@pytest.mark.parametrize("method", ["card", "upi", "emandate"])
@pytest.mark.parametrize("code", CODES)
def test_every_outcome_has_words_of_razorpays_list(method, code, known):
    for luck in LUCKS:
        said = failure(method, code, luck)
        assert said.reason in known
        assert not said.made_up
        assert said.code in ("BAD_REQUEST_ERROR", "GATEWAY_ERROR")
        assert said.reason.replace("_", " ") in said.description
        assert said.step.startswith("payment_")


@pytest.mark.parametrize("method", ["card", "upi", "emandate"])
def test_made_up_codes_are_nobodys(method, known):
    for code in MADE_UP_CODES:
        said = failure(method, MADE_UP + code, 0.5)
        assert (said.reason, said.made_up) == (code, True)
        assert said.reason not in known


def test_only_glitches_may_be_authorised_late():
    late = {
        code
        for method in ("card", "upi", "emandate")
        for code in CODES
        for luck in LUCKS
        if failure(method, code, luck).reason in MAY_BE_LATE
    }
    assert late == {"processing_error", LATE}
    assert all(failure("upi", LATE, luck).reason in MAY_BE_LATE for luck in LUCKS)


@pytest.mark.parametrize(("amount", "fee", "tax"), [(50_000, 1_180, 180), (100, 2, 0),
                                                    (1_049_900, 24_778, 3_780)])  # fmt: skip
def test_the_fee_is_two_percent_and_includes_its_gst(amount, fee, tax):
    assert entities.fees(amount) == (fee, tax)


def test_private_members_never_leave():
    assert entities.public({"id": "pay_1", "_debt": "debt_1"}) == {"id": "pay_1"}
