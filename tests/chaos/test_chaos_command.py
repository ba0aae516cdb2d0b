"""`tinko chaos` with a few kills, for a merchant that RBI lets charge more (an even seed).

`make proof NAME=chaos` has 500, for one that it does not.
"""

import pytest

from tests.proofs.prove_chaos import PROMISES, at_random


@pytest.mark.timeout(900)
def test_a_few_kills_at_random_lose_nothing():
    code, line, said = at_random(kills=5, seed=2)
    assert code == 0, line.get("wrong") or said[-2000:]
    assert line["proof"] == "chaos"
    assert line["kills"] >= 5
    assert {name: line[name] for name in PROMISES} == dict.fromkeys(PROMISES, 0)
    assert line["attempts"] > 0
