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

from tinko_pipelines.core.failures.coderow import NETWORK_KINDS, PSP_KINDS, MatchKind
from tinko_pipelines.core.failures.codetable import CodeTable, default_table
from tinko_pipelines.core.failures.dense import DenseTable
from tinko_pipelines.core.failures.dense_overrides import DenseOverrides
from tinko_pipelines.core.failures.override_rules import Overrides
from tinko_pipelines.core.failures.states import NONE, Rows, StateNumbers
from tinko_pipelines.core.failures.vocabulary import Numbers, Places, Vocabulary

PART = 250_000  # rows whose numbers fit the cache; parts run on Polars' number of threads
Lines = npt.NDArray[np.uint32]


def classify_frame(
    df: pl.DataFrame, table: CodeTable | None = None, overrides: Overrides | None = None
) -> pl.DataFrame:
    """`df` with the columns of `Classification` added (or replaced), row for row as `classify`.

    Reads the columns of `ErrorInfo`, as String, Categorical or Enum; a missing column, or one of
    another type, is as if all null. The words come back as Enums.
    """
    dense = _dense(table or default_table())
    own = _own(overrides, dense) if overrides else None
    parts = [df.slice(start, PART) for start in range(0, df.height, PART)]
    if len(parts) < 2:
        return df.with_columns(_Frame(df, dense).answers(own))
    with ThreadPoolExecutor(min(len(parts), pl.thread_pool_size())) as pool:
        answers = pool.map(lambda part: _Frame(part, dense).answers(own), parts)
    return df.with_columns(pl.concat(answers, rechunk=True))


@lru_cache(maxsize=8)
def _dense(table: CodeTable) -> DenseTable:
    return DenseTable(table)


@lru_cache(maxsize=64)
def _own(overrides: Overrides, dense: DenseTable) -> DenseOverrides:
    return DenseOverrides(overrides, dense)


class _Frame:
    """One frame being classified: what the PSP and the network said so far, as states."""

    def __init__(self, df: pl.DataFrame, dense: DenseTable) -> None:
        self.df, self.dense = df, dense
        self.psp = self.numbers("psp")
        self.said: StateNumbers = np.zeros(df.height, np.uint32)
        self.network: StateNumbers = np.zeros(df.height, np.uint32)

    def answers(self, own: DenseOverrides | None) -> pl.DataFrame:
        """The columns of `Classification`."""
        for kind in PSP_KINDS:
            if kind in self.df.columns:
                self.said = self._take_in(kind, self.said)
        for kind in NETWORK_KINDS:
            if kind in self.df.columns:
                self.network = self._take_in(kind, self.network)
        said = self.dense.psp
        decider, explainer = said.decider.take(self.said), said.explainer.take(self.said)
        late = said.late.take(self.said)
        self._add_network(decider, explainer, late)
        self._add_last(decider, explainer, late)
        if own is None:
            return self.dense.columns.of(decider, explainer, late)
        scheme = self.dense.network.decider.take(self.network)
        own.overrule(own.matched(self.df), scheme, decider, explainer)
        return own.columns.of(decider, explainer, late)

    def _take_in(self, kind: MatchKind, state: StateNumbers) -> StateNumbers:
        """The states that the rows of one kind lead to."""
        places, words = self.dense.vocabularies[kind].encode(self._column(kind))
        if kind in PSP_KINDS:
            owners = self.psp if len(places) == self.df.height else self.psp.take(places)
        else:
            hit = np.flatnonzero(words >= Vocabulary.KNOWN)
            places, words = places[hit], words[hit]
            owners = self.numbers("network", places)
        if not len(places):
            return state
        line = owners * np.uint32(self.dense.vocabularies[kind].size) + words
        matched = self.dense.matches[kind].take(line)
        if kind is MatchKind.REASON:
            self._narrow(places, line, matched)
        targets = self.dense.next_state[kind]
        whole = len(places) == self.df.height
        held = state if whole else state.take(places)
        reached = targets.ravel().take(held * np.uint32(targets.shape[1]) + matched)
        if whole:
            return reached
        state[places] = reached
        return state

    def _narrow(self, places: Places, line: Lines, matched: Numbers) -> None:
        """Where a reason means different things by source or step, look closer."""
        at = np.flatnonzero(self.dense.is_narrowed.take(line))
        if len(at):
            source, step = (self.numbers(name, places[at]) for name in ("source", "step"))
            column = source * np.uint32(self.dense.vocabularies["step"].size) + step
            matched[at] = self.dense.narrowed[line[at], column]

    def _add_network(self, decider: Rows, explainer: Rows, late: npt.NDArray[np.bool_]) -> None:
        """What the network said is more specific than what the PSP said."""
        places = np.flatnonzero(self.network)
        if not len(places):
            return
        network, facts = self.dense.network, self.dense.facts
        state = self.network.take(places)
        decider[places] = facts.decides(decider.take(places), network.decider.take(state))
        explainer[places] = facts.explains(explainer.take(places), network.explainer.take(state))
        late[places] |= network.late.take(state)

    def _add_last(self, decider: Rows, explainer: Rows, late: npt.NDArray[np.bool_]) -> None:
        """What nothing explains, the PSP's bare code may, or a generic row."""
        places = np.flatnonzero(explainer == NONE)
        if not len(places):
            return
        last = self._last(MatchKind.CODE, self.psp.take(places), places)
        weak = np.flatnonzero(self.dense.generic.take(last) | (last == NONE))
        at = places[weak]
        declined = self._last(MatchKind.NETWORK_DECLINE_CODE, self.numbers("network", at), at)
        generic = np.where(declined == NONE, last[weak], declined)
        said = (MatchKind.REASON, MatchKind.DECLINE_CODE)
        worded = [self.numbers(name, at) != Vocabulary.ABSENT for name in said]
        last[weak] = np.where(worded[0] | worded[1], NONE, generic)
        facts = self.dense.facts
        decider[places] = facts.decides(last, decider.take(places))
        explainer[places] = last
        late[places] |= facts.late.take(last)

    def _last(self, kind: MatchKind, owners: Numbers, places: Places) -> Rows:
        words = self.numbers(kind, places)
        line = owners * np.uint32(self.dense.vocabularies[kind].size) + words
        return self.dense.last[kind].take(line)

    def numbers(self, name: str, places: Places | None = None) -> Numbers:
        """The numbers of a column, at some rows or at all of them."""
        return self.dense.vocabularies[name].numbers(self._column(name), places)

    def _column(self, name: str) -> pl.Series:
        if name in self.df.columns:
            return self.df[name]
        return pl.Series([None]).new_from_index(0, self.df.height)
