"""What several rows say together, worked out beforehand.

While a failure's matching rows are taken in, level by level, two things are held: the row that
decides the advice and the row that explains. Few such pairs can be reached, so they are numbered,
and taking in a row becomes one look-up. The pairs come from the functions `classify` uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt
import polars as pl

from tinko_pipelines.core.failures.classifier import Classification, answer
from tinko_pipelines.core.failures.codetable import CodeRow, MatchKind, decides, explains
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice, WhoActs

NONE = 0  # the default row's number: no other row matched
StateNumbers = npt.NDArray[np.uint32]


class States:
    """Every (decider, explainer) that can be reached; state 0 is (NONE, NONE).

    `next_state[kind]` is the state at [state before the level, row of that kind or NONE].
    """

    def __init__(self, rows: Sequence[CodeRow], levels: Sequence[MatchKind]) -> None:
        self.rows = rows
        self.decider = self.explainer = np.zeros(1, np.intp)
        self.next_state: dict[MatchKind, StateNumbers] = {}
        pairs = _prevailing(rows, decides), _prevailing(rows, explains)
        for kind in levels:
            self.next_state[kind] = self._take_in(kind, *pairs)

    def _take_in(
        self, kind: MatchKind, decide: npt.NDArray[np.intp], explain: npt.NDArray[np.intp]
    ) -> StateNumbers:
        count, before = len(self.rows), len(self.decider)
        new = np.array([n for n, row in enumerate(self.rows) if row.kind is kind], np.intp)
        if kind is MatchKind.CODE:  # the least specific, and asked only when nothing explains
            decider = decide[new, self.decider[:, None]]
            explainer = np.where(self.explainer[:, None] == NONE, new, self.explainer[:, None])
        else:
            decider = decide[self.decider[:, None], new]
            explainer = explain[self.explainer[:, None], new]
        reached = decider * count + explainer
        known = self.decider * count + self.explainer
        known = np.concatenate([known, np.setdiff1d(reached, known)])
        self.decider, self.explainer = np.divmod(known, count)
        order = np.argsort(known)
        targets = np.zeros((before, count), np.uint32)
        targets[:, new] = order[np.searchsorted(known, reached, sorter=order)]
        targets[:, NONE] = np.arange(before)
        return targets

    def answers(self) -> pl.DataFrame:
        """The columns of `Classification`, one line per state."""
        pairs = zip(self.decider.tolist(), self.explainer.tolist(), strict=True)
        given = [answer(self.rows[decider], self.rows[explainer]) for decider, explainer in pairs]
        ids = pl.Enum([row.id for row in self.rows])
        dtypes = {
            "category": pl.Enum(Category),
            "retry_advice": pl.Enum(RetryAdvice),
            "who_acts": pl.Enum(WhoActs),
            "row": ids,
            "category_row": ids,
        }
        columns = [
            pl.Series(field.name, [getattr(a, field.name) for a in given], dtypes.get(field.name))
            for field in fields(Classification)
        ]
        return pl.DataFrame(columns)


def _prevailing(
    rows: Sequence[CodeRow], choose: Callable[[CodeRow | None, CodeRow | None], CodeRow | None]
) -> npt.NDArray[np.intp]:
    """`choose` of every pair of rows, at [held, specific]."""
    candidates = (None, *rows[1:])
    number = {id(row): n for n, row in enumerate(candidates)}
    return np.array([[number[id(choose(a, b))] for b in candidates] for a in candidates], np.intp)
