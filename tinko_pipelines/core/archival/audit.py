"""Is every month that was dropped still in the bucket, as it was verified?"""

from __future__ import annotations

from tinko_pipelines.core.archival import records, verify
from tinko_pipelines.core.archival.archivist import Archivist
from tinko_pipelines.core.archival.model import (
    ArchiveNotVerified,
    ArchiveState,
    ArchiveStoreError,
)
from tinko_pipelines.core.db.engine import unit_of_work


def wrong_months(archivist: Archivist, relation: str) -> tuple[dict[str, str], int]:
    """What is wrong by month, and how many months of `relation` were looked at: the manifest by
    its hash, the objects by their sizes. Without a bucket every dropped month is wrong."""
    with unit_of_work(archivist.worker) as connection:
        gone = [
            one
            for target, one in records.read(connection).items()
            if target.relation == relation and one.state is ArchiveState.DROPPED
        ]
    wrong = {}
    for one in gone:
        try:
            if archivist.store is None:
                raise ArchiveStoreError("no S3_BUCKET is set")
            verify.load_manifest(archivist.store, one)
        except (ArchiveNotVerified, ArchiveStoreError) as error:
            wrong[str(one.target.month)] = error.detail
    return wrong, len(gone)
