"""A partition out of Postgres into the bucket: COPY, Arrow, Parquet and upload at once.

Three hands work at once: who takes what Postgres sends, who makes Parquet of it, and who uploads
what is finished. Queues between them hold little, so memory does not grow with the partition.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa

from tinko_pipelines.core.archival.columns import Column
from tinko_pipelines.core.archival.copying import copy_rows
from tinko_pipelines.core.archival.files import Part, PartWriter
from tinko_pipelines.core.archival.manifest import StoredPart, part_key
from tinko_pipelines.core.archival.model import Target
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.recovery.points import Point, no_point

_AHEAD = 1  # batches that wait for the writer
# files that wait for the upload: more would fill the disk where S3 is slow
_FILES_AHEAD = 4
_UPLOADS = 2


def export(
    dsn: str,
    target: Target,
    columns: Sequence[Column],
    store: ArchiveStore,
    folder: Path,
    point: Point = no_point,
) -> list[StoredPart]:
    """Every row of the target's table as Parquet objects; returns them, by key.

    Local files live in `folder` no longer than until they are uploaded. Raises ArchiveStoreError,
    psycopg.Error, copying.CopyBroken and decoding.RowsMalformed; what was stored by then is cleared
    by the next run.
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

    with ThreadPoolExecutor(_UPLOADS) as uploader:
        uploads: list[Future[StoredPart]] = []

        def hand_on(part: Part) -> None:
            room.acquire()
            for one in uploads:
                # a store that is away is heard of now and not after the whole partition
                if one.done():
                    one.result()
            uploads.append(uploader.submit(upload, part))

        batches = copy_rows(dsn, target.partition, columns)
        _write_all(batches, PartWriter(folder, columns, hand_on))
        point("exported")
        stored = [one.result() for one in uploads]
    point("uploaded")
    return sorted(stored, key=lambda one: one.key)


def _write_all(batches: Iterator[pa.BinaryArray], writer: PartWriter) -> None:
    """Parquet is written by another thread than the one that reads: both work outside the GIL."""
    waiting: queue.Queue[pa.BinaryArray | None] = queue.Queue(_AHEAD)
    failed: list[BaseException] = []

    def write() -> None:
        # to the end also after a failure: whoever fills the queue is not left waiting
        while (batch := waiting.get()) is not None:
            if not failed:
                attempt(writer.write, batch)
        attempt(writer.abandon if failed else writer.close)

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
