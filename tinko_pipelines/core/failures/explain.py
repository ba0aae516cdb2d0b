"""Why a failure is classified as it is: every row that matched, what it gave, or why it lost."""

from __future__ import annotations

from dataclasses import dataclass

from tinko_pipelines.core.failures.classifier import (
    Classification,
    ErrorInfo,
    answer,
    matching,
    word,
)
from tinko_pipelines.core.failures.coderow import DEFAULT_ROW, CodeRow, MatchKind
from tinko_pipelines.core.failures.codetable import CodeTable, default_table
from tinko_pipelines.core.failures.override_rules import Overrides

CATEGORY, ADVICE = "category", "advice"


@dataclass(frozen=True, slots=True)
class Considered:
    """A row that matched: which of category and advice it gave, and why not the others."""

    row: CodeRow
    gave: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`considered` holds every row that matched, most specific first, the default row last where
    nothing better gave both category and advice."""

    classification: Classification
    decided_by: CodeRow
    explained_by: CodeRow
    considered: tuple[Considered, ...]


def explain(
    error: ErrorInfo, table: CodeTable | None = None, overrides: Overrides | None = None
) -> Explanation:
    """`classify`, with every row that matched and what became of it."""
    table = table or default_table()
    found = matching(error, table)
    rules = overrides.matching(error) if overrides is not None else []
    given = answer(found, rules[0] if rules else None)
    asked = [*rules, *reversed(found)]
    silent = [row for row in _unasked(error, table) if row not in found]
    known = {row.id: row for row in (*asked, DEFAULT_ROW)}
    decider, explainer = known[given.row], known[given.category_row]
    considered = [_consider(row, decider, explainer) for row in asked]
    considered += [Considered(row, (), (_silence(row, error, explainer),)) for row in silent]
    if DEFAULT_ROW in (decider, explainer):
        considered.append(_consider(DEFAULT_ROW, decider, explainer))
    return Explanation(given, decider, explainer, tuple(considered))


def _unasked(error: ErrorInfo, table: CodeTable) -> list[CodeRow]:
    """What is asked only when nothing else explains."""
    declined = table.find_decline(word(error.network), word(error.network_decline_code))
    bare = table.find(MatchKind.CODE, word(error.psp), word(error.code))
    return [row for row in (declined, bare) if row is not None]


def _consider(row: CodeRow, decider: CodeRow, explainer: CodeRow) -> Considered:
    gave = tuple(what for what, by in ((CATEGORY, explainer), (ADVICE, decider)) if by.id == row.id)
    lost = []
    if CATEGORY not in gave:
        lost.append(f"{CATEGORY}: {_no_category(row, explainer)}")
    if ADVICE not in gave:
        lost.append(f"{ADVICE}: {_no_advice(row, decider)}")
    return Considered(row, gave, tuple(lost))


def _no_category(row: CodeRow, explainer: CodeRow) -> str:
    if row.category is None:
        return "this row says what to do, not why"
    return _beaten(row, explainer)


def _no_advice(row: CodeRow, decider: CodeRow) -> str:
    if row.kind is MatchKind.OVERRIDE and decider.kind is not MatchKind.OVERRIDE:
        return f"no rule may retry what the scheme's row {decider.id} forbids"
    if decider.kind is not MatchKind.OVERRIDE and row.strength < decider.strength:
        return f"{decider.id} is stricter: {row.retry_advice} does not undo {decider.retry_advice}"
    return _beaten(row, decider)


def _beaten(row: CodeRow, winner: CodeRow) -> str:
    if row.kind is winner.kind is MatchKind.OVERRIDE:
        return f"{winner.id} comes first in the merchant's order"
    if winner.kind is MatchKind.OVERRIDE:
        return f"the merchant's own rule {winner.id} says otherwise"
    return f"{winner.id} is more specific"


def _silence(row: CodeRow, error: ErrorInfo, explainer: CodeRow) -> str:
    if not row.generic:
        return f"the bare code is asked only when nothing else explains, and {explainer.id} does"
    if explainer is not DEFAULT_ROW:
        return f"a wrapper, which says no more than that it failed: {explainer.id} explains"
    named = word(error.reason) or word(error.decline_code)
    return f"a wrapper, which says nothing beside {named}, a word that is not in the table"
