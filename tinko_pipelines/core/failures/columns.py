"""The answer columns: what a deciding and an explaining row give, for millions of pairs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import numpy.typing as npt
import polars as pl

from tinko_pipelines.core.failures.classifier import Classification
from tinko_pipelines.core.failures.coderow import CodeRow
from tinko_pipelines.core.failures.states import Rows
from tinko_pipelines.core.failures.taxonomy import ADVICE, Category, RetryAdvice, WhoActs

ORDER = [field.name for field in fields(Classification)]


class AnswerColumns:
    """The columns of `Classification` by row number. Immutable; made once per set of rows."""

    def __init__(self, rows: Sequence[CodeRow]) -> None:
        category = [row.category or Category.UNKNOWN for row in rows]
        self._explained = {"category": pl.Series(category, dtype=pl.Enum(Category))}
        self._decided = {
            "retry_advice": pl.Series([r.retry_advice for r in rows], dtype=pl.Enum(RetryAdvice)),
            "hard": pl.Series([ADVICE[row.retry_advice].hard for row in rows]),
            "who_acts": pl.Series([row.who_acts for row in rows], dtype=pl.Enum(WhoActs)),
        }
        self._confidence = np.array([row.confidence for row in rows])
        ids = pl.Enum([row.id for row in rows])
        self._ids = pl.Series([row.id for row in rows], dtype=ids)

    def of(self, decider: Rows, explainer: Rows, late: npt.NDArray[np.bool_]) -> pl.DataFrame:
        """One line per pair, in order, with the columns in the order of `Classification`."""
        by_decider, by_explainer = (
            pl.Series(part.astype(np.uint32)) for part in (decider, explainer)
        )
        sure = np.minimum(self._confidence.take(decider), self._confidence.take(explainer))
        columns = {
            **{name: values.gather(by_decider) for name, values in self._decided.items()},
            **{name: values.gather(by_explainer) for name, values in self._explained.items()},
            "confidence": pl.Series(sure),
            "late_authorisation": pl.Series(late),
            "row": self._ids.gather(by_decider),
            "category_row": self._ids.gather(by_explainer),
        }
        return pl.DataFrame({name: columns[name] for name in ORDER})
