"""The judge finds every way the demo may fail; a count that lies cannot pass."""

from copy import deepcopy

import pytest

from tinko_pipelines.demo.report import NONE_OF, SAME, TRUE, judge

TRUTH = {
    "obligations": 10, "attempts": 14, "attempts_by_actor": {"merchant": 10, "tinko": 4},
    "failures": 5, "unknown": 1, "recovered": 3,
    "recovered_by": {"retry": 2, "payer": 1, "psp": 0}, "recovered_minor": {"INR": 300},
    "paid_minor": {"INR": 900}, "double_charges": 0, "guard_violations": {},
}  # fmt: skip
OURS = {
    **{name: TRUTH[name] for name in SAME}, "truth": TRUTH,
    **dict.fromkeys(NONE_OF, 0), **dict.fromkeys(TRUE, True), "failed_checks": [],
    "archived": {"attempts": 4}, "archive_queried_rows": {"attempts": 4},
}  # fmt: skip
BASELINES = {"ladder_8_8_8": {"INR": 200}, "oracle": {"INR": 400}}


def test_a_world_in_order_passes():
    assert judge(OURS, BASELINES).passed


def test_a_zero_need_not_be_written_down():
    ours = deepcopy(OURS)
    ours["recovered_by"] = {"retry": 2, "payer": 1}
    assert judge(ours, BASELINES).passed


@pytest.mark.parametrize("name", SAME)
def test_each_count_is_held_against_the_truth(name):
    ours = deepcopy(OURS)
    ours[name] = {"INR": 301} if isinstance(ours[name], dict) else ours[name] + 1
    verdict = judge(ours, BASELINES)
    assert any(line.startswith(name) for line in verdict.wrong)


@pytest.mark.parametrize("name", NONE_OF)
def test_what_must_not_be_is_named(name):
    verdict = judge({**OURS, name: 2}, BASELINES)
    assert any(line.startswith(f"{name} is 2") for line in verdict.wrong)


@pytest.mark.parametrize("name", TRUE)
def test_what_must_hold_is_said_where_it_does_not(name):
    assert judge({**OURS, name: False}, BASELINES).wrong == (TRUE[name],)


def test_a_month_that_is_not_in_s3_and_a_failed_check_are_named():
    assert not judge({**OURS, "archive_queried_rows": {"attempts": 3}}, BASELINES).passed
    assert not judge({**OURS, "archived": {}, "archive_queried_rows": {}}, BASELINES).passed
    wrong = judge({**OURS, "failed_checks": ["line_kind"]}, BASELINES).wrong
    assert wrong == ("the check line_kind failed",)


def test_the_ladder_and_the_guards_count_too():
    assert not judge(OURS, {"ladder_8_8_8": {"INR": 301}, "oracle": {}}).passed
    assert not judge(OURS, {"ladder_8_8_8": {"USD": 1}, "oracle": {}}).passed
    broken = {**TRUTH, "guard_violations": {"upi_window": 1}}
    assert not judge({**OURS, "truth": broken}, BASELINES).passed
