"""Text columns as small numbers: a dictionary join of a column with the words of the code table."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import polars as pl

from tinko_pipelines.core.failures.classifier import BLANKS

Numbers = npt.NDArray[np.uint16]
Places = npt.NDArray[np.uint32]

SAMPLE = 1000  # values looked at to learn how a column spells its words
FEW, SHORT = 4, 12  # so few spellings, each of so few bytes, compare faster than they hash


class Vocabulary:
    """The words a column is compared with, numbered from 2: 0 is no text, 1 is any other word."""

    ABSENT, OTHER, KNOWN = 0, 1, 2

    def __init__(self, words: Iterable[str]) -> None:
        self.words = sorted({*words} - {""})
        self.size = len(self.words) + self.KNOWN
        self._number = {word: n for n, word in enumerate(self.words, self.KNOWN)}

    def number(self, word: str) -> int:
        """The number of one clean word."""
        return self._number.get(word, self.OTHER) if word else self.ABSENT

    def encode(self, values: pl.Series) -> tuple[Places, Numbers]:
        """Where `values` holds text, and the number of each text there.

        A column that holds no text has no places. Values spelled as the table or a sample of the
        column spells them take one look-up; only other spellings are cleaned.
        """
        if values.null_count() == len(values) or not holds_text(values.dtype):
            return np.zeros(0, np.uint32), np.zeros(0, np.uint16)
        places = np.arange(len(values), dtype=np.uint32)
        if values.null_count():
            places = values.is_not_null().arg_true().to_numpy()
            values = values.drop_nulls()
        if values.dtype == pl.String:
            return places, self._by_text(values)
        return places, self._by_category(values)

    def _by_text(self, values: pl.Series) -> Numbers:
        step = max(1, len(values) // SAMPLE)
        seen = values.gather_every(step).unique().to_list()
        if len(seen) <= FEW and all(len(word.encode()) <= SHORT for word in seen):
            numbers, strays = self._by_comparing(values, seen)
        else:
            numbers, strays = self._by_hashing(values, seen)
        if len(strays):
            numbers[strays.to_numpy()] = self._by_distinct(values.gather(strays))
        return numbers

    def _by_comparing(self, values: pl.Series, seen: list[str]) -> tuple[Numbers, pl.Series]:
        numbers = np.zeros(len(values), np.uint16)
        stray = pl.repeat(True, len(values), eager=True)
        for word, number in zip(seen, self._clean(pl.Series(seen)), strict=True):
            same = values == word
            numbers += same.to_numpy() * number
            stray &= ~same
        return numbers, stray.arg_true()

    def _by_hashing(self, values: pl.Series, seen: list[str]) -> tuple[Numbers, pl.Series]:
        spellings = [*self.words, *({*seen} - {*self.words})]
        found = values.cast(pl.Enum(spellings), strict=False)
        physical = found.to_physical()
        if len(spellings) > np.iinfo(np.uint8).max:
            physical = physical.cast(pl.UInt16)
        known = np.append(self._clean(pl.Series(spellings)), np.uint16(self.ABSENT))
        numbers = known.take(physical.fill_null(len(spellings)).to_numpy())
        return numbers, found.is_null().arg_true()

    def _by_distinct(self, values: pl.Series) -> Numbers:
        distinct = values.unique()
        cleaned = pl.Series(self._clean(distinct))
        return values.replace_strict(distinct, cleaned, return_dtype=pl.UInt16).to_numpy()

    def _by_category(self, values: pl.Series) -> Numbers:
        """Encoded input stays encoded: only its dictionary is read."""
        dtype = values.dtype
        assert isinstance(dtype, pl.Categorical | pl.Enum)
        words = dtype.categories if isinstance(dtype, pl.Enum) else dtype.categories.to_series()
        return self._clean(words).take(values.to_physical().to_numpy())

    def _clean(self, spellings: pl.Series) -> Numbers:
        """Numbers of any text, trimmed and in lower case: what `classifier.word` does to one."""
        words = spellings.str.strip_chars(BLANKS).str.to_lowercase()
        exact = words.cast(pl.Enum(self.words), strict=False).to_physical().cast(pl.UInt16)
        other = (words != "").cast(pl.UInt16)  # ABSENT or OTHER
        return (exact + self.KNOWN).fill_null(other).fill_null(self.ABSENT).to_numpy()


def holds_text(dtype: pl.DataType) -> bool:
    """Whether a column of this type is read at all."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
