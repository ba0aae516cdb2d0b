"""What several rows say together, worked out beforehand.

While the rows that match a failure are taken in, kind by kind, three things are held: the row
that decides the advice, the row that explains, and whether one of them is timeout-like. Few such
triples can be reached, so they are numbered, and taking in a row becomes one look-up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tinko_pipelines.core.failures.coderow import CodeRow, MatchKind

NONE = 0  # the default row's number: no other row matched
Rows = npt.NDArray[np.uint16]
StateNumbers = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.uint64]


class Facts:
    """What `decides` and `explains` ask of rows, as arrays at the rows' numbers."""

    def __init__(self, rows: Sequence[CodeRow]) -> None:
        # nothing that matched is weaker than the default row, which only fills in
        self.strength = np.array([0, *(row.strength for row in rows[1:])], np.uint8)
        self.has_category = np.array([False, *(row.category is not None for row in rows[1:])])
        self.late = np.array([row.late_authorisation for row in rows])

    def decides(self, held: Rows, specific: Rows) -> Rows:
        """`coderow.decides`, for many pairs at once."""
        wins = self.strength.take(specific) >= self.strength.take(held)
        return np.where(wins, specific, held)

    def explains(self, held: Rows, specific: Rows) -> Rows:
        """`coderow.explains`, for many pairs at once."""
        return np.where(self.has_category.take(specific), specific, held)


class States:
    """Every (decider, explainer, late) that rows of some kinds can reach; state 0 is of none.

    `next_state[kind]` is the state at [state before the kind, place of the row among its kind or
    NONE]; a row's place is its rank by number, from 1. `decider` and `explainer` are row numbers.
    """

    def __init__(self, rows: Sequence[CodeRow], kinds: Sequence[MatchKind], facts: Facts) -> None:
        self.rows, self.facts = rows, facts
        self.decider = self.explainer = np.zeros(1, np.uint16)
        self.late = np.zeros(1, bool)
        self.next_state = {kind: self._take_in(kind) for kind in kinds}

    def _take_in(self, kind: MatchKind) -> StateNumbers:
        new = np.array([NONE, *places_of(self.rows, kind)], np.uint16)
        held, facts = (len(self.decider), 1), self.facts
        shape = (len(self.decider), len(new))
        decider = facts.decides(np.broadcast_to(self.decider.reshape(held), shape), new)
        explainer = facts.explains(np.broadcast_to(self.explainer.reshape(held), shape), new)
        late = self.late.reshape(held) | facts.late.take(new)
        known = self._keys(self.decider, self.explainer, self.late)
        reached = self._keys(decider, explainer, late)
        # a row that a kind says nothing about keeps its state: known numbers stay
        known = np.concatenate([known, np.setdiff1d(reached, known)])
        self._read(known)
        order = np.argsort(known)
        return order[np.searchsorted(known, reached, sorter=order)].astype(np.uint32)

    def _keys(self, decider: Rows, explainer: Rows, late: npt.NDArray[np.bool_]) -> Keys:
        pairs = decider * np.uint64(len(self.rows)) + explainer
        return pairs * np.uint64(2) + late

    def _read(self, keys: Keys) -> None:
        pairs, late = np.divmod(keys, np.uint64(2))
        decider, explainer = np.divmod(pairs, np.uint64(len(self.rows)))
        self.decider, self.explainer = decider.astype(np.uint16), explainer.astype(np.uint16)
        self.late = late.astype(bool)


def places_of(rows: Sequence[CodeRow], kind: MatchKind) -> list[int]:
    """The numbers of the rows of one kind, ascending."""
    return [number for number, row in enumerate(rows) if row.kind is kind]
