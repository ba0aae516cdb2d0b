"""Read an archived month back out of the bucket and hold it against what it must be."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from tinko_pipelines.core.archival import manifest as manifests
from tinko_pipelines.core.archival.checksums import Checksums, in_arrow
from tinko_pipelines.core.archival.columns import Column
from tinko_pipelines.core.archival.files import batches_of, sha256_of
from tinko_pipelines.core.archival.manifest import Manifest, StoredPart
from tinko_pipelines.core.archival.model import ArchiveNotVerified, Record, Target
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.recovery.points import Point, no_point


def read_parts(
    store: ArchiveStore, target: Target, parts: Sequence[StoredPart], point: Point = no_point
) -> Iterator[pa.RecordBatch]:
    """Every row of `parts` as the bucket has it, one object on the disk at a time.

    Raises ArchiveNotVerified where an object is missing, is not the bytes that were stored, cannot
    be read as Parquet, or holds rows of another organisation or month; ArchiveStoreError.
    """
    wrong = manifests.sizes_differ(parts, store.sizes(manifests.prefix(target)))
    if wrong:
        raise ArchiveNotVerified(f"{target} in the bucket: {'; '.join(wrong[:5])}")
    with tempfile.TemporaryDirectory(prefix="tinko-archive-") as folder:
        path = Path(folder) / "part.parquet"
        for one in parts:
            store.get_file(one.key, path)
            if sha256_of(path) != one.sha256:
                raise ArchiveNotVerified(f"{one.key} is not the bytes that were stored")
            point("reading_back")
            try:
                rows = 0
                for batch in batches_of(path):
                    rows += len(batch)
                    yield batch
            except pa.ArrowException as error:
                raise ArchiveNotVerified(f"{one.key} cannot be read: {error}") from error
            if rows != one.rows:
                raise ArchiveNotVerified(f"{one.key} has {rows} rows, {one.rows} were written")


def read_back(
    store: ArchiveStore,
    target: Target,
    parts: Sequence[StoredPart],
    columns: Sequence[Column],
    point: Point = no_point,
) -> Checksums:
    """The checksums of what the bucket holds. Raises as `read_parts` does."""
    try:
        found = in_arrow(read_parts(store, target, parts, point), columns)
    except (KeyError, TypeError) as error:
        raise ArchiveNotVerified(f"{target} in the bucket: {error}") from error
    point("read_back")
    return found


def require_equal(target: Target, postgres: Checksums, archive: Checksums) -> None:
    """Raises ArchiveNotVerified, naming what differs."""
    wrong = postgres.differences(archive)
    if wrong:
        raise ArchiveNotVerified(
            f"{target}: Postgres and the archive differ: {'; '.join(wrong[:5])}"
        )


def load_manifest(store: ArchiveStore, record: Record) -> Manifest:
    """The manifest that the record names. Raises ArchiveNotVerified where the bucket has another
    one, or where the objects that it names are not all there; ArchiveStoreError."""
    if record.manifest_key is None or record.manifest_sha256 is None:
        raise ArchiveNotVerified(f"{record.target} has no manifest")
    body = store.get(record.manifest_key)
    if manifests.sha256(body) != record.manifest_sha256:
        raise ArchiveNotVerified(f"{record.manifest_key} is not the manifest that was verified")
    found = Manifest.loads(body)
    wrong = manifests.sizes_differ(found.parts, store.sizes(manifests.prefix(record.target)))
    if wrong:
        raise ArchiveNotVerified(f"{record.target} in the bucket: {'; '.join(wrong[:5])}")
    return found
