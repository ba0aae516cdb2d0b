"""The code table as dense arrays, for `vectorised`: which row do these words match."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tinko_pipelines.core.failures.classifier import find_reason
from tinko_pipelines.core.failures.coderow import NETWORK_KINDS, PSP_KINDS, CodeRow, MatchKind
from tinko_pipelines.core.failures.codetable import CodeTable
from tinko_pipelines.core.failures.columns import AnswerColumns
from tinko_pipelines.core.failures.states import NONE, Facts, Rows, States, places_of
from tinko_pipelines.core.failures.vocabulary import Numbers, Vocabulary

# the column that names the owner of a code, by kind
OWNERS = dict.fromkeys(PSP_KINDS, "psp") | dict.fromkeys(NETWORK_KINDS, "network")
OWNERS[MatchKind.CODE] = "psp"
NARROWING = ("source", "step")
_OTHER = "\0"  # stands for any word the table does not know: no row has it


class DenseTable:
    """A code table as dense arrays of row and state numbers. Immutable; made once per table.

    `matches[kind]` is the place among its kind (`States`) of the row that matches (owner, word), at
    `owner * words + word`; a reason's is the bare one, and generic rows match nothing there.
    `last` holds the row numbers of what is asked when nothing else explains: the PSP's bare code,
    and the network's generic decline codes.
    """

    def __init__(self, table: CodeTable) -> None:
        self.table, self.rows = table, table.rows
        owners: dict[str, set[str]] = {"psp": set(), "network": set()}
        self.vocabularies = {}
        for kind, owner in OWNERS.items():
            owners[owner] |= {key[0] for key in table.index[kind]}
            self.vocabularies[kind.value] = Vocabulary(key[1] for key in table.index[kind])
        for place, name in enumerate(NARROWING, start=2):
            words = {key[place] for key in table.index[MatchKind.REASON]}
            self.vocabularies[name] = Vocabulary(words)
        self.vocabularies |= {name: Vocabulary(words) for name, words in owners.items()}

        self.facts = Facts(self.rows)
        self.generic = np.array([row.generic for row in self.rows])
        self.psp = States(self.rows, PSP_KINDS, self.facts)
        self.network = States(self.rows, NETWORK_KINDS, self.facts)
        self.next_state = self.psp.next_state | self.network.next_state

        numbers = {kind: self._numbers(kind) for kind in OWNERS}
        declined = numbers[MatchKind.NETWORK_DECLINE_CODE]
        self.last = {
            MatchKind.CODE: numbers[MatchKind.CODE],
            MatchKind.NETWORK_DECLINE_CODE: np.where(self.generic[declined], declined, NONE),
        }
        self.matches: dict[MatchKind, Numbers] = {
            kind: self._places(kind, np.where(self.generic[found], NONE, found))
            for kind, found in numbers.items()
            if kind is not MatchKind.CODE
        }
        self.narrowed = self._narrowed()
        self.is_narrowed = (self.narrowed != self.narrowed[:, :1]).any(axis=1)
        self.columns = AnswerColumns(self.rows)

    def _numbers(self, kind: MatchKind) -> Rows:
        """The number of the row of each (owner, word)."""
        owners, words = self.vocabularies[OWNERS[kind]], self.vocabularies[kind.value]
        found = np.zeros((owners.size, words.size), np.uint16)
        number = {row.id: n for n, row in enumerate(self.rows)}
        for owner in ("", _OTHER, *owners.words):
            for code in words.words:
                row = self._find(kind, owner, code)
                if row is not None:
                    found[owners.number(owner), words.number(code)] = number[row.id]
        return found.ravel()

    def _find(self, kind: MatchKind, owner: str, code: str) -> CodeRow | None:
        if kind is MatchKind.NETWORK_DECLINE_CODE:
            return self.table.find_decline(owner, code)
        narrowing = ("", "") if kind is MatchKind.REASON else ()
        return self.table.find(kind, owner, code, *narrowing)

    def _places(self, kind: MatchKind, numbers: Rows) -> Numbers:
        place = np.zeros(len(self.rows), np.uint16)
        rows = places_of(self.rows, kind)
        place[rows] = np.arange(1, len(rows) + 1)
        return place[numbers]

    def _narrowed(self) -> Numbers:
        """The place of the row of (psp, reason) by (source, step): one line per psp and reason."""
        psps, reasons = self.vocabularies["psp"], self.vocabularies[MatchKind.REASON.value]
        sources, steps = (self.vocabularies[name] for name in NARROWING)
        found = np.zeros((psps.size * reasons.size, sources.size * steps.size), np.uint16)
        number = {row.id: n for n, row in enumerate(self.rows)}
        for psp, reason in {key[:2] for key in self.table.index[MatchKind.REASON]}:
            line = psps.number(psp) * reasons.size + reasons.number(reason)
            for source, step in _pairs(sources, steps):
                row = find_reason(self.table, psp, reason, source, step)
                column = sources.number(source) * steps.size + steps.number(step)
                found[line, column] = NONE if row is None else number[row.id]
        return self._places(MatchKind.REASON, found)


def _pairs(sources: Vocabulary, steps: Vocabulary) -> Iterator[tuple[str, str]]:
    for source in ("", _OTHER, *sources.words):
        for step in ("", _OTHER, *steps.words):
            yield source, step
