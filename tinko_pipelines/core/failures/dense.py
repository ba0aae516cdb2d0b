"""The code table as dense arrays of row numbers, for `vectorised`.

Made once per table, by asking the functions `classifier` uses about every pair of rows and every
combination of words, so that the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from tinko_pipelines.core.failures.classifier import find_reason
from tinko_pipelines.core.failures.codetable import (
    CodeRow,
    CodeTable,
    MatchKind,
    decides,
    explains,
)
from tinko_pipelines.core.failures.taxonomy import ADVICE, Category, RetryAdvice, WhoActs
from tinko_pipelines.core.failures.vocabulary import Numbers, Vocabulary

NONE = 0  # the default row's number: no other row matched

# the column that names the owner of a code, by kind; in the order of `vectorised`, least specific
# first, the bare code last because it is asked last
OWNERS = {
    MatchKind.ADVICE_CODE: "psp",
    MatchKind.DECLINE_CODE: "psp",
    MatchKind.REASON: "psp",
    MatchKind.NETWORK_DECLINE_CODE: "network",
    MatchKind.NETWORK_ADVICE_CODE: "network",
    MatchKind.CODE: "psp",
}
NARROWING = ("source", "step")

CATEGORY_DTYPE = pl.Enum([str(member) for member in Category])
ADVICE_DTYPE = pl.Enum([str(member) for member in RetryAdvice])
ACTOR_DTYPE = pl.Enum([str(member) for member in WhoActs])


class DenseTable:
    """A code table as dense arrays of row numbers. Immutable; made once per table."""

    def __init__(self, table: CodeTable) -> None:
        self.rows = table.rows
        owners: dict[str, set[str]] = {"psp": set(), "network": set()}
        self.vocabularies = {}
        for kind, owner in OWNERS.items():
            owners[owner] |= {key[0] for key in table.index[kind]}
            self.vocabularies[kind.value] = Vocabulary(key[1] for key in table.index[kind])
        for place, name in enumerate(NARROWING, start=2):
            words = {key[place] for key in table.index[MatchKind.REASON]}
            self.vocabularies[name] = Vocabulary(words)
        self.vocabularies |= {name: Vocabulary(words) for name, words in owners.items()}

        self.decides = self._pairs(decides)
        self.explains = self._pairs(explains)
        self.generic = np.array([row.generic for row in self.rows])
        self.matches = {kind: self._matches(table, kind, owner) for kind, owner in OWNERS.items()}
        self.narrowed = self._narrowed(table)
        self.is_narrowed = (self.narrowed != self.narrowed[:, :1]).any(axis=1)
        self.advice_answer, self.why_answer = self._answers()

    def _pairs(self, choose: Callable[[CodeRow | None, CodeRow | None], CodeRow | None]) -> Numbers:
        """`choose` of every (held, specific) pair of rows, at `held * rows + specific`."""
        candidates = (None, *self.rows[1:])
        number = {id(row): n for n, row in enumerate(candidates)}
        chosen = [number[id(choose(held, new))] for held in candidates for new in candidates]
        return np.array(chosen, np.uint16)

    def _matches(self, table: CodeTable, kind: MatchKind, owner: str) -> Numbers:
        """The row of (owner, word), at `owner * words + word`; a reason's is the bare one."""
        owners, words = self.vocabularies[owner], self.vocabularies[kind.value]
        found = np.zeros((owners.size, words.size), np.uint16)
        for key, row in table.index[kind].items():
            if key[2:] in ((), ("", "")):
                found[owners.number(key[0]), words.number(key[1])] = row
        return found.ravel()

    def _narrowed(self, table: CodeTable) -> Numbers:
        """The row of (psp, reason) by (source, step): one line per psp and reason."""
        psps, reasons = self.vocabularies["psp"], self.vocabularies[MatchKind.REASON.value]
        sources, steps = (self.vocabularies[name] for name in NARROWING)
        found = np.zeros((psps.size * reasons.size, sources.size * steps.size), np.uint16)
        number = {row.id: n for n, row in enumerate(self.rows)}
        other = "\0"
        for psp, reason in {key[:2] for key in table.index[MatchKind.REASON]}:
            line = psps.number(psp) * reasons.size + reasons.number(reason)
            for source in ("", other, *sources.words):
                for step in ("", other, *steps.words):
                    row = find_reason(table, psp, reason, source, step)
                    column = sources.number(source) * steps.size + steps.number(step)
                    found[line, column] = NONE if row is None else number[row.id]
        return found

    def _answers(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """What each row says when it decides the advice, and when it explains."""
        ids = pl.Enum([row.id for row in self.rows])
        rows = self.rows
        advice = pl.DataFrame(
            {
                "retry_advice": pl.Series([r.retry_advice for r in rows], dtype=ADVICE_DTYPE),
                "hard": [ADVICE[r.retry_advice].hard for r in rows],
                "who_acts": pl.Series([r.who_acts for r in rows], dtype=ACTOR_DTYPE),
                "confidence": [r.confidence for r in rows],
                "late_authorisation": [r.late_authorisation for r in rows],
                "row": pl.Series([r.id for r in rows], dtype=ids),
            }
        )
        why = [r.category or Category.UNKNOWN for r in rows]
        explained = pl.DataFrame(
            {
                "category": pl.Series(why, dtype=CATEGORY_DTYPE),
                "category_row": pl.Series([r.id for r in rows], dtype=ids),
            }
        )
        return advice, explained
