"""Documents in memory, written through to SQLite in one transaction per request or step.

Reads never touch the disk; `commit` writes what changed since the last one. After a kill -9
the store stands where the last commit left it, and nothing is answered before its commit.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

Doc = dict[str, Any]

_SCHEMA = """
    create table if not exists docs (
        kind text not null, id text not null, account text not null, seq integer not null,
        created integer not null, body blob not null, primary key (kind, id)
    ) without rowid
"""
_UPSERT = """
    insert into docs (kind, id, account, seq, created, body) values (?, ?, ?, ?, ?, ?)
    on conflict (kind, id) do update set body = excluded.body
"""


class Store:
    """Documents by (kind, id); each belongs to one account ('' for the sandbox's own)."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        # a commit survives kill -9 of this process; only a crash of the machine may lose some
        self._db.execute("pragma synchronous = off")
        self._db.execute(_SCHEMA)
        self._docs: dict[str, dict[str, Doc]] = {}
        self._place: dict[tuple[str, str], tuple[str, int, int]] = {}
        self._order: dict[tuple[str, str], tuple[list[int], list[str]]] = {}
        self._changed: dict[tuple[str, str], None] = {}
        self._gone: dict[tuple[str, str], None] = {}
        self._seq = 0
        self._load()

    def _load(self) -> None:
        rows = self._db.execute(
            "select kind, id, account, seq, created, body from docs order by seq"
        )
        for kind, id_, account, seq, created, body in rows:
            self._docs.setdefault(kind, {})[id_] = orjson.loads(body)
            self._index(kind, id_, account, seq, created)
            self._seq = max(self._seq, seq)

    def _index(self, kind: str, id_: str, account: str, seq: int, created: int) -> None:
        self._place[kind, id_] = (account, seq, created)
        if account:
            times, ids = self._order.setdefault((account, kind), ([], []))
            if times and created < times[-1]:
                at = bisect_right(times, created)
                times.insert(at, created)
                ids.insert(at, id_)
            else:
                times.append(created)
                ids.append(id_)

    def put(self, kind: str, doc: Doc, account: str = "", created: int | None = None) -> Doc:
        """Keep `doc` under its `id`, or note that it changed. Account and order never change."""
        id_ = doc["id"]
        if (kind, id_) not in self._place:
            self._seq += 1
            when = created if created is not None else int(doc.get("created") or 0)
            self._docs.setdefault(kind, {})[id_] = doc
            self._index(kind, id_, account, self._seq, when)
        elif self._docs[kind][id_] is not doc:
            self._docs[kind][id_] = doc
        self._changed[kind, id_] = None
        return doc

    def get(self, kind: str, id_: str, account: str | None = None) -> Doc | None:
        """The document itself (mutable: `put` it after a change), or None.

        With `account`, None also for another account's document.
        """
        doc = self._docs.get(kind, {}).get(id_)
        if doc is not None and account is not None and self._place[kind, id_][0] != account:
            return None
        return doc

    def delete(self, kind: str, id_: str) -> None:
        """Forget a document that belongs to no account's index."""
        if self._docs.get(kind, {}).pop(id_, None) is not None:
            account = self._place.pop((kind, id_))[0]
            if account:
                times, ids = self._order[account, kind]
                at = ids.index(id_)
                del times[at], ids[at]
            self._changed.pop((kind, id_), None)
            self._gone[kind, id_] = None

    def all(self, kind: str) -> Iterator[Doc]:
        """Every document of a kind, oldest first."""
        return iter(list(self._docs.get(kind, {}).values()))

    def count(self, kind: str) -> int:
        return len(self._docs.get(kind, {}))

    def newest(
        self, account: str, kind: str, since: int | None = None, until: int | None = None
    ) -> Iterator[Doc]:
        """An account's documents, newest first, `since <= created <= until` (epoch seconds)."""
        times, ids = self._order.get((account, kind), ([], []))
        low = 0 if since is None else bisect_left(times, since)
        high = len(times) if until is None else bisect_right(times, until)
        table = self._docs.get(kind, {})
        for at in range(high - 1, low - 1, -1):
            yield table[ids[at]]

    def owner(self, kind: str, id_: str) -> str:
        """The account a document belongs to."""
        return self._place[kind, id_][0]

    def commit(self) -> None:
        """Write everything that changed since the last commit, in one transaction."""
        if not self._changed and not self._gone:
            return
        rows = []
        for kind, id_ in self._changed:
            account, seq, created = self._place[kind, id_]
            body = orjson.dumps(self._docs[kind][id_])
            rows.append((kind, id_, account, seq, created, body))
        self._db.execute("begin immediate")
        if self._gone:
            self._db.executemany("delete from docs where kind = ? and id = ?", list(self._gone))
        self._db.executemany(_UPSERT, rows)
        self._db.execute("commit")
        self._changed.clear()
        self._gone.clear()

    def wipe(self, keep: frozenset[str]) -> None:
        """Forget every document whose kind is not in `keep`."""
        for kind in [k for k in self._docs if k not in keep]:
            for id_ in list(self._docs[kind]):
                self.delete(kind, id_)
        self.commit()

    def close(self) -> None:
        self.commit()
        self._db.close()
