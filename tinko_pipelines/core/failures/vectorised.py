"""`classify` for millions of rows: the same answer, by dictionary joins.

Text is joined to the table's words once per column (`vocabulary`); from there on only small
numbers meet, in the look-up arrays of `dense`. Columns that matter to few rows (source and step,
the network's name, the bare code) are read for those rows only.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from tinko_pipelines.core.failures.codetable import CodeTable, MatchKind, default_table
from tinko_pipelines.core.failures.dense import LEVELS, OWNERS, DenseTable
from tinko_pipelines.core.failures.states import NONE, StateNumbers
from tinko_pipelines.core.failures.vocabulary import Numbers, Places, Vocabulary

PART = 250_000  # rows whose numbers fit the cache; parts run on Polars' number of threads
Lines = npt.NDArray[np.uint32]


def classify_frame(df: pl.DataFrame, table: CodeTable | None = None) -> pl.DataFrame:
    """`df` with the columns of `Classification` added (or replaced), row for row as `classify`.

    Reads the columns of `ErrorInfo`, as String, Categorical or Enum; a missing column, or one of
    another type, is as if all null. The words come back as Enums.
    """
    dense = _dense(table or default_table())
    parts = [df.slice(start, PART) for start in range(0, df.height, PART)]
    if len(parts) < 2:
        return df.with_columns(dense.answers[_Frame(df, dense).states()])
    with ThreadPoolExecutor(min(len(parts), pl.thread_pool_size())) as pool:
        states = list(pool.map(lambda part: _Frame(part, dense).states(), parts))
    return df.with_columns(dense.answers[np.concatenate(states)])


@lru_cache(maxsize=8)
def _dense(table: CodeTable) -> DenseTable:
    return DenseTable(table)


class _Frame:
    """One frame being classified: the state of every row, as levels are taken in."""

    def __init__(self, df: pl.DataFrame, dense: DenseTable) -> None:
        self.df, self.dense = df, dense
        self.state: StateNumbers = np.zeros(df.height, np.uint32)
        self.psp = self._numbers("psp")

    def states(self) -> StateNumbers:
        for kind in LEVELS:
            if kind is MatchKind.CODE:
                self._take_in_code()
            elif kind in self.df.columns:
                self._take_in(kind, *self.dense.vocabularies[kind].encode(self.df[kind]))
        return self.state

    def _take_in(self, kind: MatchKind, places: Places, words: Numbers) -> None:
        """Let the rows matching `words`, which stand at `places`, lead to new states."""
        if OWNERS[kind] == "psp":
            owners = self.psp if len(places) == self.df.height else self.psp.take(places)
        else:
            hit = np.flatnonzero(words >= Vocabulary.KNOWN)
            places, words = places[hit], words[hit]
            owners = self._numbers("network", places)
        if not len(places):
            return
        line = owners * np.uint32(self.dense.vocabularies[kind].size) + words
        matched = self.dense.matches[kind].take(line)
        if kind is MatchKind.REASON:
            self._narrow(places, line, matched)
        self._advance(kind, places, matched)

    def _narrow(self, places: Places, line: Lines, matched: Numbers) -> None:
        """Where a reason means different things by source or step, look closer."""
        at = np.flatnonzero(self.dense.is_narrowed.take(line))
        if len(at):
            source, step = (self._numbers(name, places[at]) for name in ("source", "step"))
            column = source * np.uint32(self.dense.vocabularies["step"].size) + step
            matched[at] = self.dense.narrowed[line[at], column]

    def _take_in_code(self) -> None:
        """What nothing has explained, the PSP's bare code may."""
        kind = MatchKind.CODE
        places = np.flatnonzero(self.dense.unexplained.take(self.state))
        if not len(places):
            return
        words = self._numbers(kind, places)
        line = self.psp.take(places) * np.uint32(self.dense.vocabularies[kind].size) + words
        matched = self.dense.matches[kind].take(line)
        generic = np.flatnonzero(self.dense.generic.take(matched))
        said = (MatchKind.REASON, MatchKind.DECLINE_CODE)
        worded = [self._numbers(name, places[generic]) != Vocabulary.ABSENT for name in said]
        matched[generic[worded[0] | worded[1]]] = NONE
        self._advance(kind, places, matched)

    def _advance(self, kind: MatchKind, places: Places, matched: Numbers) -> None:
        targets = self.dense.next_state[kind]
        whole = len(places) == self.df.height
        held = self.state if whole else self.state.take(places)
        reached = targets.ravel().take(held * np.uint32(targets.shape[1]) + matched)
        if whole:
            self.state = reached
        else:
            self.state[places] = reached

    def _numbers(self, name: str, places: Places | None = None) -> Numbers:
        """The numbers of a column, at some rows or at all of them."""
        values = (
            self.df[name]
            if name in self.df.columns
            else pl.Series([None]).new_from_index(0, self.df.height)
        )
        if places is not None and len(places) != len(values):
            values = values.gather(places)
        found, words = self.dense.vocabularies[name].encode(values)
        if len(found) == len(values):
            return words
        numbers = np.zeros(len(values), np.uint16)
        numbers[found] = words
        return numbers
