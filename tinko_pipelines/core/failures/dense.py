"""The code table as dense arrays, for `vectorised`: which row do these words match."""

from __future__ import annotations

import numpy as np

from tinko_pipelines.core.failures.classifier import find_reason
from tinko_pipelines.core.failures.codetable import CodeTable, MatchKind
from tinko_pipelines.core.failures.states import NONE, States
from tinko_pipelines.core.failures.vocabulary import Numbers, Vocabulary

# the column that names the owner of a code, by kind; in the order rows are taken in: least
# specific first, except the bare code, which is asked last
OWNERS = {
    MatchKind.ADVICE_CODE: "psp",
    MatchKind.DECLINE_CODE: "psp",
    MatchKind.REASON: "psp",
    MatchKind.NETWORK_DECLINE_CODE: "network",
    MatchKind.NETWORK_ADVICE_CODE: "network",
    MatchKind.CODE: "psp",
}
LEVELS = tuple(OWNERS)
NARROWING = ("source", "step")


class DenseTable:
    """A code table as dense arrays of row and state numbers. Immutable; made once per table."""

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

        self.matches = {kind: self._matches(table, kind, owner) for kind, owner in OWNERS.items()}
        self.narrowed = self._narrowed(table)
        self.is_narrowed = (self.narrowed != self.narrowed[:, :1]).any(axis=1)
        self.generic = np.array([row.generic for row in self.rows])

        states = States(self.rows, LEVELS)
        self.next_state = states.next_state
        self.unexplained = states.explainer == NONE
        self.answers = states.answers()

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
