"""A table as Postgres's binary COPY gives it: rows of bytes, many at a time, not looked into.

https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format". The protocol sends a row in
a message of its own ("COPY Operations"), so that rows are told apart without reading them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import psycopg
import pyarrow as pa

from tinko_pipelines.core.archival.columns import Column, select_list

BATCH_BYTES = 8 * 1024 * 1024
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(4)
_TRAILER = b"\xff\xff"


class CopyBroken(ValueError):
    """What came is not the whole of a binary COPY."""


def copy_rows(
    dsn: str, table: str, columns: Sequence[Column], batch_bytes: int = BATCH_BYTES
) -> Iterator[pa.BinaryArray]:
    """The rows of `table` as the role of `dsn` reads them, of one snapshot.

    Every value is a row as binary COPY writes it: the number of its fields, then each field's
    length and bytes, in the order of `columns`. Raises psycopg.Error and CopyBroken.
    """
    statement = f"copy {table} ({select_list(list(columns))}) to stdout (format binary)"
    with (
        psycopg.connect(dsn, autocommit=True) as connection,
        connection.cursor() as cursor,
        cursor.copy(statement.encode()) as copy,
    ):
        # `copy.read` waits, but costs several times what libpq does for a message: what has come
        # already is taken from below it
        already = connection.pgconn.get_copy_data
        message: bytes | bytearray | memoryview = _without_header(copy.read())
        buffer, ends, end = _room(batch_bytes), [0], 0
        while message != _TRAILER:
            size = len(message)
            while size > len(_TRAILER):
                if end + size > len(buffer):
                    if end:
                        yield _rows(buffer, ends)
                    buffer, ends, end = _room(max(batch_bytes, size)), [0], 0
                buffer[end : end + size] = message
                end += size
                ends.append(end)
                size, message = already(1)
            if size < 0 or (size and message != _TRAILER):
                raise CopyBroken(f"the copy of {table} broke off")
            if not size and not (message := copy.read()):
                raise CopyBroken(f"the copy of {table} ended before its end")
        if copy.read():
            raise CopyBroken(f"the copy of {table} goes on after its end")
        if end:
            yield _rows(buffer, ends)


def _room(size: int) -> memoryview:
    # of Arrow's pool, which gives the same memory again without clearing it
    return memoryview(pa.allocate_buffer(size)).cast("B")


def _rows(buffer: memoryview, ends: Sequence[int]) -> pa.BinaryArray:
    offsets = np.array(ends, np.int32)
    held = [None, pa.py_buffer(offsets), pa.py_buffer(buffer)]
    return pa.Array.from_buffers(pa.binary(), len(ends) - 1, held)


def _without_header(first: bytes | bytearray | memoryview) -> memoryview:
    """The header comes in one message with the first row, or with the trailer."""
    message = memoryview(first)
    head = len(_SIGNATURE) + 4
    if message[: len(_SIGNATURE)] != _SIGNATURE or len(message) <= head:
        raise CopyBroken(f"a binary COPY begins otherwise than with {bytes(message[:head])!r}")
    return message[head + int.from_bytes(message[len(_SIGNATURE) : head], "big") :]
