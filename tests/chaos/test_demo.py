"""A small demo (full counts: `make proof NAME=demo`)."""

import pytest

from tests.proofs.prove_demo import demo


@pytest.mark.timeout(900)
def test_a_small_world_passes():
    found = demo(seeds=(1,), repeats=0, obligations=50, days=3)
    assert not found.wrong, found
    assert len(found.numbers["seconds_each"]) == 1
