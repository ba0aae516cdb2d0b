"""`tinko chaos` with a few kills; `make proof NAME=chaos` has 500."""

import pytest

from tests.proofs.prove_chaos import PROMISES, at_random


@pytest.mark.timeout(900)
def test_a_few_kills_at_random_lose_nothing():
    code, line, said = at_random(kills=5, seed=3)
    assert code == 0, line.get("wrong") or said[-2000:]
    assert line["proof"] == "chaos"
    assert line["kills"] >= 5
    assert {name: line[name] for name in PROMISES} == dict.fromkeys(PROMISES, 0)
    assert line["attempts"] > 0
