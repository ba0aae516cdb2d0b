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
from tinko_pipelines.core.failures.dense import NARROWING, NONE, OWNERS, DenseTable
from tinko_pipelines.core.failures.vocabulary import Numbers, Vocabulary, encode

Places = npt.NDArray[np.intp]


def classify_frame(df: pl.DataFrame, table: CodeTable | None = None) -> pl.DataFrame:
    """`df` with the columns of `Classification` added (or replaced), row for row as `classify`.

    Reads the columns of `ErrorInfo`, as String, Categorical or Enum; a missing column, or one of
    another type, is as if all null. The words come back as Enums.
    """
    dense = _dense(table or default_table())
    numbers = encode(df, {name: dense.vocabularies[name] for name in ALWAYS})
    decider = np.zeros(df.height, np.uint16)
    explainer = np.zeros(df.height, np.uint16)
    for kind in LEVELS:
        matched = _matched(dense, df, numbers, kind)
        if matched.any():
            decider = _choose(dense.decides, decider, matched)
            explainer = _choose(dense.explains, explainer, matched)
    _ask_code(dense, df, numbers, decider, explainer)
    return df.with_columns(_answer(dense, decider, explainer))


LEVELS = tuple(kind for kind in OWNERS if kind is not MatchKind.CODE)
ALWAYS = ("psp", *LEVELS)


@lru_cache(maxsize=8)
def _dense(table: CodeTable) -> DenseTable:
    return DenseTable(table)


def _choose(pairs: Numbers, held: Numbers, specific: Numbers) -> Numbers:
    """Row by row, which of two rows prevails by the table `pairs`."""
    rows = np.uint32(round(len(pairs) ** 0.5))
    return pairs.take(held * rows + specific)


def _matched(
    dense: DenseTable, df: pl.DataFrame, numbers: dict[str, Numbers], kind: MatchKind
) -> Numbers:
    """The row of `kind` for each row of the frame, or NONE."""
    words = numbers[kind]
    known = np.uint16(Vocabulary.KNOWN)
    if OWNERS[kind] == "psp":
        line = numbers["psp"] * np.uint32(dense.vocabularies[kind].size) + words
        matched = dense.matches[kind].take(line)
        if kind is MatchKind.REASON:
            _narrow(dense, df, line, matched)
        return matched
    matched = np.zeros(len(words), np.uint16)
    places = np.flatnonzero(words >= known)
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
    dense: DenseTable,
    df: pl.DataFrame,
    numbers: dict[str, Numbers],
    decider: Numbers,
    explainer: Numbers,
) -> None:
    """What nothing has explained yet, the PSP's bare code may (in place)."""
    kind = MatchKind.CODE
    places = np.flatnonzero(explainer == NONE)
    if not len(places):
        return
    codes = _encode_at(dense, df, places, kind)[kind]
    psps = numbers["psp"][places]
    matched = dense.matches[kind].take(psps * np.uint32(dense.vocabularies[kind].size) + codes)
    worded = numbers[MatchKind.REASON][places] | numbers[MatchKind.DECLINE_CODE][places]
    matched[dense.generic.take(matched) & (worded != Vocabulary.ABSENT)] = NONE
    explainer[places] = matched
    decider[places] = _choose(dense.decides, matched, decider[places])


def _encode_at(
    dense: DenseTable, df: pl.DataFrame, places: Places, *names: str
) -> dict[str, Numbers]:
    """The numbers of some columns, at some rows only."""
    present = df.select(name for name in names if name in df.columns)
    part = present if len(places) == df.height else present[places]
    vocabularies = {name: dense.vocabularies[name] for name in names}
    if not part.width:
        return {name: np.zeros(len(places), np.uint16) for name in names}
    return encode(part, vocabularies)


def _answer(dense: DenseTable, decider: Numbers, explainer: Numbers) -> list[pl.Series]:
    """The columns of `Classification`: the advice of one row, the category of the other."""
    advice = dense.advice_answer[decider]
    why = dense.why_answer[explainer]
    sure, late = advice["confidence"], advice["late_authorisation"]
    places = np.flatnonzero(decider != explainer)
    if len(places):
        other = dense.advice_answer.select(sure.name, late.name)[explainer[places]]
        lesser = np.minimum(sure.gather(places).to_numpy(), other[sure.name].to_numpy())
        sure = sure.scatter(places, lesser)
        late = late.scatter(places, late.gather(places) | other[late.name])
    columns = {column.name: column for column in (*advice, *why)} | {
        sure.name: sure,
        late.name: late,
    }
    return [columns[name] for name in ANSWER_COLUMNS]


ANSWER_COLUMNS = (
    "category",
    "retry_advice",
    "hard",
    "who_acts",
    "confidence",
    "late_authorisation",
    "row",
    "category_row",
)
