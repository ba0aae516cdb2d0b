"""An outage of six hours with much due; `make proof NAME=outage` has a hundred thousand."""

from tests.proofs.prove_outage import sit_out


def test_after_an_outage_the_rate_stays_within_the_budget_and_nothing_was_burnt(database):
    found = sit_out(database.worker, database.owner, due=200, per_minute=60)
    assert list(found.wrong) == []
    assert found.numbers["charged"] > 150
