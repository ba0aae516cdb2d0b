"""The messages, in one SQLite file, so that a restart keeps them and ids go on."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_SCHEMA = """
    create table if not exists messages (
        id integer primary key autoincrement,
        received_at text not null,
        channel text not null check (channel in ('email', 'sms')),
        sender text not null,
        recipient text not null,
        subject text not null,
        text text not null,
        html text not null
    )
"""


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody sent to one recipient. `html` is empty for text-only mail and for SMS."""

    channel: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str = ""


class Store:
    """The message file. Thread-safe; a message is on disk when `add` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        # a killed process loses nothing that WAL has taken, only a machine losing power would
        self._db.executescript("pragma journal_mode = wal; pragma synchronous = normal;")
        self._db.execute(_SCHEMA)

    def add(self, message: Message) -> int:
        """Keep a message and give its id; ids ascend and are never used again."""
        values = {**asdict(message), "received_at": datetime.now(UTC).isoformat()}
        with self._lock:
            cursor = self._db.execute(
                "insert into messages (received_at, channel, sender, recipient, subject, text,"
                " html) values (:received_at, :channel, :sender, :recipient, :subject, :text,"
                " :html)",
                values,
            )
        return int(cursor.lastrowid or 0)

    def after(self, last: int, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` messages with an id above `last`, oldest first."""
        return self._read("where id > ? order by id limit ?", last, limit)

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """The newest `limit` messages, newest first."""
        return self._read("order by id desc limit ?", limit)

    def get(self, message_id: int) -> dict[str, Any] | None:
        return next(iter(self._read("where id = ?", message_id)), None)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _read(self, tail: str, *values: int) -> list[dict[str, Any]]:
        with self._lock:
            rows = self._db.execute(
                "select id, received_at, channel, sender as 'from', recipient as 'to', subject,"
                f" text, html from messages {tail}",
                values,
            ).fetchall()
        return [dict(row) for row in rows]
