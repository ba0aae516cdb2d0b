"""kill -9 where it matters most; `make proof NAME=archive` does every point for ten seeds."""

from tests.conftest import TEMPLATE
from tests.proofs.archive_kills import Tally, kill_everywhere
from tests.proofs.archive_worker import Workers

LABELS = (
    "uploading",
    "manifest",
    "verified",
    "detach_pending",
    "detached",
    "dropping",
    "attaching",
)


def test_a_kill_loses_no_row_and_doubles_none(postgres, s3):
    tally = Tally()
    with Workers() as workers:
        kill_everywhere(postgres, TEMPLATE, s3, workers, 1, LABELS, 4, tally, ["attempts"])
    assert tally.wrong == []
    assert set(tally.kills) == set(LABELS)
