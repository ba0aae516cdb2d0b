"""A month of wide events, of more organisations than files are open, leaves and comes back."""

from tests.proofs.archive_memory import fill, peaks
from tests.proofs.prove_archive_memory import LIMIT_MB


def test_wide_rows_of_many_organisations_keep_within_the_limit(database, s3):
    assert fill(database.owner, rows=600, orgs=80, wide=20_000) > 12_000_000
    found = peaks(database, s3, s3.store())
    assert found["rows"] == 600
    assert 0 < found["out"] <= found["back"] <= LIMIT_MB
