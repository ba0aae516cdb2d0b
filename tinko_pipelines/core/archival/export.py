"""A partition out of Postgres into the bucket: COPY, Arrow, Parquet and upload at once.

ADBC reads Postgres's binary COPY in C and gives typed Arrow batches. Three hands work at once:
Postgres and ADBC, the Parquet writer, and the upload of what is finished. Queues between them hold
little, so memory does not grow with the partition.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from tinko_pipelines.core.archival.columns import Column, select_list
from tinko_pipelines.core.archival.files import Part, PartWriter
from tinko_pipelines.core.archival.manifest import StoredPart, part_key
from tinko_pipelines.core.archival.model import Target
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.recovery.points import Point, no_point

BATCH_BYTES = 8 * 1024 * 1024
_AHEAD = 1  # batches that wait for the writer
# files that wait for the upload: more would fill the disk where S3 is slow
_FILES_AHEAD = 4


def read_partition(
    dsn: str, table: str, columns: Sequence[Column], batch_bytes: int = BATCH_BYTES
) -> Iterator[pa.RecordBatch]:
    """The rows of `table` as the owner reads them, of one snapshot, typed.

    Raises adbc_driver_manager.Error.
    """
    # a driver that only archival needs
    from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]  # noqa: PLC0415

    with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(
            **{"adbc.postgresql.batch_size_hint_bytes": str(batch_bytes)}
        )
        cursor.execute(f"select {select_list(list(columns))} from {table}")
        with closing(cursor.fetch_record_batch()) as reader:
            yield from reader


def export(
    dsn: str,
    target: Target,
    columns: Sequence[Column],
    store: ArchiveStore,
    folder: Path,
    point: Point = no_point,
) -> list[StoredPart]:
    """Every row of the target's table as Parquet objects; returns them, by key.

    Local files live in `folder` no longer than until they are uploaded. Raises ArchiveStoreError
    and adbc_driver_manager.Error; what was stored by then is cleared by the next run.
    """
    stored: list[StoredPart] = []
    room = threading.Semaphore(_FILES_AHEAD)
    point("exporting")

    def upload(part: Part) -> StoredPart:
        try:
            key = part_key(target, str(part.org_id), part.number)
            store.put_file(key, part.path)
            point("uploading")
            return StoredPart(key, str(part.org_id), part.rows, part.bytes, part.sha256)
        finally:
            part.path.unlink(missing_ok=True)
            room.release()

    with ThreadPoolExecutor(1) as uploader:
        uploads: list[Future[StoredPart]] = []

        def hand_on(part: Part) -> None:
            room.acquire()
            if uploads and uploads[-1].done():
                # a store that is away is heard of now and not after the whole partition
                uploads[-1].result()
            uploads.append(uploader.submit(upload, part))

        batches = read_partition(dsn, target.partition, columns)
        _write_all(batches, folder, hand_on)
        point("exported")
        stored = [one.result() for one in uploads]
    point("uploaded")
    return sorted(stored, key=lambda one: one.key)


def _write_all(batches: Iterator[pa.RecordBatch], folder: Path, hand_on: Any) -> None:
    """Parquet is written by another thread than the one that reads: both work outside the GIL."""
    waiting: queue.Queue[pa.RecordBatch | None] = queue.Queue(_AHEAD)
    failed: list[BaseException] = []

    writers: list[PartWriter] = []

    def write() -> None:
        # to the end also after a failure: whoever fills the queue is not left waiting
        while (batch := waiting.get()) is not None:
            if not failed:
                attempt(write_one, batch)
        for one in writers:
            attempt(one.abandon if failed else one.close)

    def write_one(batch: pa.RecordBatch) -> None:
        if not writers:
            writers.append(PartWriter(folder, batch.schema.remove_metadata(), hand_on))
        writers[0].write(batch)

    def attempt(work: Callable[..., None], *values: Any) -> None:
        try:
            work(*values)
        except BaseException as error:  # raised again by the thread that reads
            failed.append(error)

    thread = threading.Thread(target=write, name="parquet")
    thread.start()
    try:
        for batch in batches:
            if failed:
                break
            waiting.put(batch)
    finally:
        waiting.put(None)
        thread.join()
    if failed:
        raise failed[0]
