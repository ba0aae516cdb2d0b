"""`classify` for millions of rows: the same answer, by dictionary joins.

Text is joined to the table's words once per column (`vocabulary`); from there on only small
numbers meet, in the look-up arrays of `dense`. Columns that matter to few rows (source and step,
the network's name, the bare code) are read for those rows only.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from tinko_pipelines.core.failures.codetable import CodeTable, MatchKind, default_table
from tinko_pipelines.core.failures.dense import LEVELS, NARROWING, OWNERS, DenseTable
from tinko_pipelines.core.failures.states import NONE, StateNumbers
from tinko_pipelines.core.failures.vocabulary import Numbers, Vocabulary, encode

Places = npt.NDArray[np.intp]


def classify_frame(df: pl.DataFrame, table: CodeTable | None = None) -> pl.DataFrame:
    """`df` with the columns of `Classification` added (or replaced), row for row as `classify`.

    Reads the columns of `ErrorInfo`, as String, Categorical or Enum; a missing column, or one of
    another type, is as if all null. The words come back as Enums.
    """
    dense = _dense(table or default_table())
    numbers = encode(df, {name: dense.vocabularies[name] for name in ALWAYS})
    state = np.zeros(df.height, np.uint32)
    for kind in LEVELS_ALWAYS_ASKED:
        matched = _matched(dense, df, numbers, kind)
        if matched is not None:
            state = _advance(dense, kind, state, matched)
    _ask_code(dense, df, numbers, state)
    return df.with_columns(dense.answers[state])


# the bare code comes last, and only for the rows that need it
LEVELS_ALWAYS_ASKED = LEVELS[:-1]
ALWAYS = ("psp", *LEVELS_ALWAYS_ASKED)


@lru_cache(maxsize=8)
def _dense(table: CodeTable) -> DenseTable:
    return DenseTable(table)


def _advance(
    dense: DenseTable, kind: MatchKind, state: StateNumbers, matched: Numbers
) -> StateNumbers:
    """The states the matched rows of `kind` lead to."""
    targets = dense.next_state[kind]
    return targets.ravel().take(state * np.uint32(targets.shape[1]) + matched)


def _matched(
    dense: DenseTable, df: pl.DataFrame, numbers: dict[str, Numbers], kind: MatchKind
) -> Numbers | None:
    """The row of `kind` for each row of the frame, or NONE; None when no row matches at all."""
    words = numbers[kind]
    if not words.any():
        return None
    if OWNERS[kind] == "psp":
        line = numbers["psp"] * np.uint32(dense.vocabularies[kind].size) + words
        matched = dense.matches[kind].take(line)
        if kind is MatchKind.REASON:
            _narrow(dense, df, line, matched)
        return matched
    matched = np.zeros(len(words), np.uint16)
    places = np.flatnonzero(words >= Vocabulary.KNOWN)
    if len(places):
        networks = _encode_at(dense, df, places, "network")["network"]
        line = networks * np.uint32(dense.vocabularies[kind].size) + words[places]
        matched[places] = dense.matches[kind].take(line)
    return matched


def _narrow(
    dense: DenseTable, df: pl.DataFrame, line: npt.NDArray[np.uint32], matched: Numbers
) -> None:
    """Where a reason means different things by source or step, look closer."""
    places = np.flatnonzero(dense.is_narrowed.take(line))
    if len(places):
        at = _encode_at(dense, df, places, *NARROWING)
        column = at["source"] * np.uint32(dense.vocabularies["step"].size) + at["step"]
        matched[places] = dense.narrowed[line[places], column]


def _ask_code(
    dense: DenseTable, df: pl.DataFrame, numbers: dict[str, Numbers], state: StateNumbers
) -> None:
    """What nothing has explained yet, the PSP's bare code may (into `state`)."""
    kind = MatchKind.CODE
    places = np.flatnonzero(dense.unexplained.take(state))
    if not len(places):
        return
    codes = _encode_at(dense, df, places, kind)[kind]
    psps = numbers["psp"][places]
    matched = dense.matches[kind].take(psps * np.uint32(dense.vocabularies[kind].size) + codes)
    worded = numbers[MatchKind.REASON][places] | numbers[MatchKind.DECLINE_CODE][places]
    matched[dense.generic.take(matched) & (worded != Vocabulary.ABSENT)] = NONE
    state[places] = _advance(dense, kind, state[places], matched)


def _encode_at(
    dense: DenseTable, df: pl.DataFrame, places: Places, *names: str
) -> dict[str, Numbers]:
    """The numbers of some columns, at some rows only."""
    present = df.select(name for name in names if name in df.columns)
    if not present.width:  # it would forget its height
        return {name: np.zeros(len(places), np.uint16) for name in names}
    part = present if len(places) == df.height else present[places]
    return encode(part, {name: dense.vocabularies[name] for name in names})
