"""A merchant's rules for millions of rows: which rule matches each, by walking its fields.

For each set of fields that rules name, the words of those fields form a tree: a row walks it
field by field, and only rows that are still on a path read the next field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from tinko_pipelines.core.failures.columns import AnswerColumns
from tinko_pipelines.core.failures.dense import DenseTable
from tinko_pipelines.core.failures.override_rules import Overrides
from tinko_pipelines.core.failures.states import Rows
from tinko_pipelines.core.failures.taxonomy import ADVICE
from tinko_pipelines.core.failures.vocabulary import Places, Vocabulary

Matched = npt.NDArray[np.uint16]  # the number of the rule by row; `Overrides.rows`' length: none


class DenseOverrides:
    """One merchant's rules over one code table. Immutable; made once per version."""

    def __init__(self, overrides: Overrides, dense: DenseTable) -> None:
        self._count, self._first = len(overrides.rows), len(dense.rows)
        self._trees = [_Tree(named, keys) for named, keys in overrides.index.items()]
        rows = (*dense.rows, *overrides.rows)
        self.columns = AnswerColumns(rows)
        retries = np.array([ADVICE[row.retry_advice].retries for row in rows])
        self._retries, self._stands = retries[self._first :], ~retries

    def matched(self, df: pl.DataFrame) -> Matched:
        """The first rule that matches each row."""
        found = np.full(df.height, self._count, np.uint16)
        for tree in self._trees:
            places, rules = tree.walk(df)
            found[places] = np.minimum(found[places], rules)
        return found

    def overrule(self, matched: Matched, scheme: Rows, decider: Rows, explainer: Rows) -> None:
        """Let the rules decide, in place, as `coderow.overruled`; `scheme` is the network's row."""
        places = np.flatnonzero(matched < self._count)
        rules, said = matched.take(places), scheme.take(places)
        explainer[places] = own = rules + np.uint16(self._first)
        stands = self._retries.take(rules) & self._stands.take(said)
        decider[places] = np.where(stands, said, own)


class _Tree:
    """The rules that name the same fields, as one look-up array per field.

    Node 0 is off every path, 1 the root; behind the last field stands the rule's number plus 1.
    """

    def __init__(self, named: Sequence[str], keys: Mapping[tuple[str, ...], int]) -> None:
        self._levels: list[tuple[str, Vocabulary, npt.NDArray[np.uint32]]] = []
        nodes: dict[tuple[str, ...], int] = {(): 1}
        for depth, name in enumerate(named, start=1):
            words = Vocabulary(key[depth - 1] for key in keys)
            prefixes = dict.fromkeys(key[:depth] for key in keys)
            last = depth == len(named)
            after = {p: keys[p] + 1 if last else n for n, p in enumerate(prefixes, start=1)}
            lines = np.zeros((len(nodes) + 1, words.size), np.uint32)
            for prefix, node in after.items():
                lines[nodes[prefix[:-1]], words.number(prefix[-1])] = node
            self._levels.append((name, words, lines))
            nodes = after

    def walk(self, df: pl.DataFrame) -> tuple[Places, Matched]:
        """Where a rule matches, and which."""
        places, nodes = np.arange(df.height), np.ones(df.height, np.uint32)
        for name, words, lines in self._levels:
            if name not in df.columns:
                return places[:0], nodes[:0].astype(np.uint16)
            numbers = words.numbers(df[name], places)
            nodes = lines.ravel().take(nodes * np.uint32(words.size) + numbers)
            on = np.flatnonzero(nodes)
            places, nodes = places[on], nodes[on]
        return places, (nodes - 1).astype(np.uint16)
