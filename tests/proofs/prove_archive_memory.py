"""Archival stays below 512 MB, however wide rows are, and of however many organisations."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import Database
from tests.proofs.archive_memory import fill, peaks
from tests.proofs.due_world import postgres_of
from tests.proofs.harness import Finding, register
from tests.s3 import S3Server

LIMIT_MB = 512


@register("archive_memory")
def archive_memory(
    months: Sequence[tuple[int, int, int]] = (
        (20_000, 3, 40_000),
        (20_000, 400, 40_000),
        (1_500_000, 400, 600),
    ),
) -> Finding:
    """A month of (rows, organisations, bytes of a body) each, out of Postgres into S3 and back,
    each by a process of its own; the most memory that it had."""
    wrong: list[str] = []
    numbers: dict[str, object] = {"limit_mb": LIMIT_MB}
    with (
        postgres_of(days=(0,)) as server,
        tempfile.TemporaryDirectory() as folder,
        S3Server(Path(folder)) as s3,
    ):
        for number, (rows, orgs, wide) in enumerate(months):
            name = f"memory{number}"
            server.create_database(name, "tinko")
            database = Database(server, name)
            try:
                size = fill(database.owner, rows, orgs, wide)
                found = peaks(database, s3, s3.store(name))
            finally:
                database.dispose()
            title = f"{rows}_rows_{orgs}_orgs_{wide}_bytes"
            numbers[title] = {"bodies_mb": round(size / 1e6), **found}
            wrong += _wrong(title, rows, found)
    return Finding(wrong, numbers)


def _wrong(title: str, rows: int, found: dict[str, int]) -> list[str]:
    over = [way for way in ("out", "back") if found[way] > LIMIT_MB]
    lost = [f"{title}: {found['rows']} rows came back"] if found["rows"] != rows else []
    return lost + [f"{title}: {found[way]} MB on the way {way}" for way in over]
