"""What `make proof` prints, and when it fails."""

import pytest

from tests.proofs import harness


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(harness, "REGISTRY", {})


def test_a_line_carries_the_counts_and_what_was_found():
    @harness.register("small")
    def small(runs=1000, days=21):
        return harness.Finding([], {"runs_made": runs})

    line = harness.run("small", runs=3)
    assert list(line)[:5] == ["proof", "counts", "violations", "seconds", "met"]
    assert line["counts"] == {"runs": 3, "days": 21}
    assert (line["violations"], line["met"], line["runs_made"]) == (0, True, 3)


def test_what_is_wrong_is_counted_and_not_met():
    harness.register("bad")(lambda: harness.Finding(["one", "two"]))
    line = harness.run("bad")
    assert (line["violations"], line["met"], line["wrong"]) == (2, False, ["one", "two"])


def test_a_proof_that_breaks_off_is_not_met():
    @harness.register("broken")
    def broken():
        raise RuntimeError("no stack")

    line = harness.run("broken")
    assert (line["violations"], line["met"]) == (1, False)
    assert line["wrong"] == ["RuntimeError: no stack"]


@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ({"second_start_seconds": 60.0}, []),
        ({"second_start_seconds": 60.1}, ["second_start_seconds is 60.1, the goal is at most 60"]),
        # nothing was measured
        ({"second_start_seconds": None}, ["second_start_seconds is None, the goal is at most 60"]),
        ({}, ["second_start_seconds is None, the goal is at most 60"]),
    ],
)
def test_a_number_over_its_goal_is_not_met(numbers, wrong):
    harness.register("slow")(lambda: harness.Finding([], numbers, {"second_start_seconds": 60.0}))
    line = harness.run("slow")
    assert line["goal"] == {"second_start_seconds": 60.0}
    assert (line["wrong"], line["met"], line["violations"]) == (wrong, not wrong, len(wrong))


def test_a_name_is_given_once():
    harness.register("one")(harness.Finding)
    with pytest.raises(ValueError, match="one"):
        harness.register("one")(harness.Finding)
