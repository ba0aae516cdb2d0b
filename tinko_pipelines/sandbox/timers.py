"""What is to happen, in time order: a heap whose entries survive a restart."""

from __future__ import annotations

import heapq
from typing import Any

from tinko_pipelines.sandbox.store import Doc, Store


class Timers:
    """Entries {id, at, seq, action, args}; equal instants go by order of creation."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._heap = [(row["at"], row["seq"], row["id"]) for row in store.all("timer")]
        heapq.heapify(self._heap)
        kept = store.get("meta", "timer_seq")
        self._seq: Doc = kept or {"id": "timer_seq", "seq": 0}

    def add(self, at: int, action: str, args: dict[str, Any]) -> None:
        """`at` in epoch seconds of business time."""
        self._seq["seq"] += 1
        seq = self._seq["seq"]
        row = {"id": f"t{seq}", "at": at, "seq": seq, "action": action, "args": args}
        self._store.put("timer", row)
        self._store.put("meta", self._seq)
        heapq.heappush(self._heap, (at, seq, row["id"]))

    def due(self, until: int) -> Doc | None:
        """Take the next entry due at or before `until`; `done` must follow when it was acted on."""
        while self._heap and self._heap[0][0] <= until:
            row = self._store.get("timer", heapq.heappop(self._heap)[2])
            if row is not None:
                return row
        return None

    def done(self, row: Doc) -> None:
        """Forget an entry that was acted on."""
        self._store.delete("timer", row["id"])

    def take(self, action: str) -> list[Doc]:
        """Every entry of one action, whenever due, in time order; `done` must follow."""
        rows = [row for row in self._store.all("timer") if row["action"] == action]
        return sorted(rows, key=lambda row: (row["at"], row["seq"]))

    def next_at(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def __len__(self) -> int:
        return self._store.count("timer")
