"""Archival loses no row and doubles none, wherever it is killed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.proofs.archive_kills import Tally, kill_everywhere
from tests.proofs.archive_worker import Workers
from tests.proofs.due_world import postgres_of
from tests.proofs.harness import Finding, register
from tests.s3 import S3Server
from tinko_pipelines.core.archival.points import LABELS

TEMPLATE = "tinko_archive_template"


@register("archive")
def archive(seeds: int = 10, debts: int = 300, labels: Sequence[str] = LABELS) -> Finding:
    """kill -9 at every labelled point for so many seeds, each with a month of its own."""
    tally = Tally()
    with (
        postgres_of(days=(0,)) as server,
        tempfile.TemporaryDirectory() as folder,
        S3Server(Path(folder)) as s3,
        Workers() as workers,
    ):
        server.create_database(TEMPLATE, "tinko")
        for seed in range(1, seeds + 1):
            kill_everywhere(server, TEMPLATE, s3, workers, seed, labels, debts, tally)
    return Finding(
        tally.wrong,
        {
            "kills": tally.kills.total(),
            "labels": len(tally.kills),
            "rows": tally.rows,
            "lost": sum(one.startswith("lost") for one in tally.wrong),
            "doubled": sum(one.startswith("doubled") for one in tally.wrong),
        },
    )
