"""Bad rows of every kind, on a real Postgres: each is caught by its owner and by no other."""

from tests.proofs.plantings import BEFORE_THE_LOAD
from tests.proofs.prove_quality import before_the_load
from tests.proofs.quality_world import World


def test_each_is_caught_by_the_check_that_owns_it_and_by_no_other(database):
    assert before_the_load(World.open(database.worker), BEFORE_THE_LOAD, rows=0, seed=1) == []
