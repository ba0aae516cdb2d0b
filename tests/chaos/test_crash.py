"""Killing a part in the middle of traffic (full counts: `make proof NAME=crash`)."""

import pytest

from tests.proofs.prove_crash import kill_and_reckon


@pytest.mark.timeout(900)
def test_kills_lose_nothing_and_charge_nobody_twice(up):
    parts = ["api", "dagster-daemon", "postgres"]
    found = kill_and_reckon(up, parts, events_between=20, charges_between=0)
    print(found.numbers)  # noqa: T201 (shown by `pytest -rP`)
    assert not found.wrong, found
    assert found.numbers["kills"] == {"api": 1, "dagster-daemon": 1, "postgres": 1}
    assert found.numbers["events_acknowledged"] >= 80
    assert found.numbers["attempts_by_actor"]["tinko"] >= 1
