"""Run queries on chDB: one connection each, bounded by profile, errors in ClickHouse's words."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chdb import _chdb

from tinko_pipelines.local.chserver import errors
from tinko_pipelines.local.chserver.profiles import MEBIBYTE, Profile, foreign_functions
from tinko_pipelines.local.chserver.request import Query
from tinko_pipelines.local.chserver.statement import writes_a_file

# a data mart's needs on one small machine; the engine's own defaults assume a server's memory
_SERVER = {
    "max_server_memory_usage": 2048 * MEBIBYTE,
    "mark_cache_size": 64 * MEBIBYTE,
    "background_pool_size": 2,
}
_QUEUE_SECONDS = 60.0
_SETTING_NAME = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave. `body` is in the format asked for; the counts go into the summary."""

    body: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    elapsed_ns: int = 0


class Engine:
    """The one owner of a chDB folder in this process. Thread-safe."""

    def __init__(self, path: Path, profiles: tuple[Profile, ...], database: str = "tinko") -> None:
        path.mkdir(parents=True, exist_ok=True)
        options = "&".join(f"{name}={value}" for name, value in _SERVER.items())
        # signals belong to the HTTP server
        _chdb.set_signal_handlers_enabled(False)
        self._target = f"{path}?{options}"
        # kept open: the engine would shut down with its last connection
        self._root = _chdb.connect(self._target)
        self._slots = {one.name: threading.BoundedSemaphore(one.concurrency) for one in profiles}
        self._root.query(f"create database if not exists {database}", "Null")
        self.version = self._text("select version()").strip()
        self._table_functions = frozenset(
            self._text("select lower(name) from system.table_functions").split()
        )

    def run(self, query: Query, profile: Profile) -> Answer:
        """Run `query` as `profile` allows. Blocks; raises EngineError for every failure."""
        if writes_a_file(query.statement.sql):
            raise _no_outfile()
        with self._slot(profile), self._connection() as connection:
            try:
                self._prepare(connection, query, profile)
                if query.statement.insert_format is not None:
                    return _insert(connection, query)
                return _select(connection, query)
            except RuntimeError as error:
                raise errors.from_engine(str(error)) from None

    def close(self) -> None:
        self._root.close()

    def _text(self, sql: str) -> str:
        return bytes(self._root.query(sql, "TabSeparated").bytes()).decode()

    @contextmanager
    def _slot(self, profile: Profile) -> Iterator[None]:
        slot = self._slots[profile.name]
        if not slot.acquire(timeout=_QUEUE_SECONDS):
            raise errors.refused(
                errors.TOO_MANY_SIMULTANEOUS_QUERIES,
                "TOO_MANY_SIMULTANEOUS_QUERIES",
                f"Too many simultaneous queries of {profile.name}",
            )
        try:
            yield
        finally:
            slot.release()

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        connection = _chdb.connect(self._target)
        try:
            yield connection
        finally:
            connection.close()

    def _prepare(self, connection: Any, query: Query, profile: Profile) -> None:
        settings = profile.effective(query.settings)
        for name, value in settings.items():
            if not _SETTING_NAME.fullmatch(name):
                raise errors.refused(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
            connection.query(f"set {name} = {_quoted(value)}", "Null")
        if query.database != "default":
            connection.query(f"use {_quoted(query.database, '`')}", "Null")
        if profile.readonly:
            connection.query("set readonly = 1", "Null")
            self._check_reader(connection, query)
        elif query.statement.insert_format is None:
            _single(connection.classify_query(query.statement.sql))

    def _check_reader(self, connection: Any, query: Query) -> None:
        """Refuse what `readonly` lets through. The engine's own parser decides what is said."""
        sql = query.statement.sql
        if "outfile" in sql.lower():
            # even within a literal: here a doubt is a no
            raise _no_outfile()
        kind = connection.classify_query(sql)
        _single(kind)
        if query.statement.insert_format or kind["query_class"] != _chdb.query_class.READ_ONLY:
            raise errors.refused(
                errors.READONLY, "READONLY", "Cannot execute query in readonly mode."
            )
        ast = _select_text(connection, f"explain ast {sql}", query.params)
        foreign = foreign_functions(ast, self._table_functions)
        if foreign:
            raise errors.refused(
                errors.ACCESS_DENIED,
                "ACCESS_DENIED",
                f"Not enough privileges. Readers may not call {', '.join(sorted(foreign))}.",
            )


def _no_outfile() -> errors.EngineError:
    return errors.refused(
        errors.ACCESS_DENIED, "ACCESS_DENIED", "INTO OUTFILE is not allowed over HTTP"
    )


def _single(kind: dict[str, Any]) -> None:
    if kind["statement_count"] != 1:
        raise errors.refused(
            errors.SYNTAX_ERROR, "SYNTAX_ERROR", "Multi-statements are not allowed"
        )


def _quoted(value: str, mark: str = "'") -> str:
    escaped = value.replace("\\", "\\\\").replace(mark, "\\" + mark)
    return f"{mark}{escaped}{mark}"


def _select_text(connection: Any, sql: str, params: dict[str, str]) -> str:
    result = connection.query(sql, "TabSeparatedRaw", params=params)
    return bytes(result.bytes()).decode(errors="replace")


def _select(connection: Any, query: Query) -> Answer:
    result = connection.query(query.statement.sql, query.format, params=query.params)
    return Answer(
        body=bytes(result.bytes()),
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        elapsed_ns=int(result.elapsed() * 1e9),
    )


def _insert(connection: Any, query: Query) -> Answer:
    statement = query.statement
    stream = connection.send_insert(statement.sql, statement.insert_format)
    try:
        connection.insert_append(stream, statement.data)
        result = connection.insert_done(stream)
    except RuntimeError:
        connection.insert_cancel(stream)
        raise
    return Answer(
        body=b"",
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        elapsed_ns=int(result.elapsed() * 1e9),
    )
