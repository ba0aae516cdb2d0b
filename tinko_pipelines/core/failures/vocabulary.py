"""Text columns as small numbers: a dictionary join of a frame with the words of the code table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from tinko_pipelines.core.failures.classifier import BLANKS

Numbers = npt.NDArray[np.uint16]

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

    def clean(self, spellings: pl.Series) -> Numbers:
        """Numbers of any text, trimmed and in lower case: what `classifier.word` does to one."""
        words = spellings.str.strip_chars(BLANKS).str.to_lowercase()
        exact = words.cast(pl.Enum(self.words), strict=False).to_physical().cast(pl.UInt16)
        other = (words != "").cast(pl.UInt16)  # ABSENT or OTHER
        return (exact + self.KNOWN).fill_null(other).fill_null(self.ABSENT).to_numpy()


class _Spelling:
    """How one column spells its words, as far as a sample tells, and the numbers they have."""

    def __init__(self, values: pl.Series, vocabulary: Vocabulary) -> None:
        step = max(1, len(values) // SAMPLE)
        seen = values.gather_every(step).drop_nulls().unique().to_list()
        self.few = len(seen) <= FEW and all(len(word.encode()) <= SHORT for word in seen)
        self.words = seen if self.few else [*vocabulary.words, *({*seen} - {*vocabulary.words})]
        self.numbers = vocabulary.clean(pl.Series(self.words, dtype=pl.String))

    def places(self, name: str) -> pl.Expr:
        """The place of each value among `words`, from 1; 0 where it is null or not among them."""
        column = pl.col(name)
        if self.few:
            place = pl.lit(0, pl.UInt16)
            for n, word in enumerate(self.words, 1):
                place += (column == word).cast(pl.UInt16) * pl.lit(n, pl.UInt16)
            return place.fill_null(0).alias(name)
        physical = column.cast(pl.Enum(self.words), strict=False).to_physical()
        return (physical.cast(pl.UInt16) + 1).fill_null(0)


def encode(frame: pl.DataFrame, vocabularies: Mapping[str, Vocabulary]) -> dict[str, Numbers]:
    """The numbers of each named column of `frame`, in its order.

    A column that is missing or holds no text is absent everywhere. Values spelled as the table or
    a sample of the column spells them take one look-up; only other spellings are cleaned.
    """
    encoded, spellings = {}, {}
    for name, vocabulary in vocabularies.items():
        values = frame[name] if name in frame.columns else pl.Series(dtype=pl.Null)
        if isinstance(values.dtype, pl.Categorical | pl.Enum):
            encoded[name] = _by_category(values, vocabulary)
        elif values.dtype != pl.String or values.null_count() == frame.height:
            encoded[name] = np.zeros(frame.height, np.uint16)
        else:
            spellings[name] = _Spelling(values, vocabulary)
    looked_up = frame.lazy().select(spelling.places(name) for name, spelling in spellings.items())
    for column in looked_up.collect(engine="streaming") if spellings else ():
        name = column.name
        encoded[name] = _complete(frame[name], column, spellings[name], vocabularies[name])
    return encoded


def _complete(
    values: pl.Series, places: pl.Series, spelling: _Spelling, vocabulary: Vocabulary
) -> Numbers:
    """The numbers of the places, and of the values whose spelling was not foreseen."""
    lookup = np.append(np.uint16(Vocabulary.ABSENT), spelling.numbers)
    numbers = lookup.take(places.to_numpy())
    if (places == 0).sum() > values.null_count():
        missed = ((places == 0) & values.is_not_null()).arg_true()
        strays = values.gather(missed)
        distinct = strays.unique()
        cleaned = strays.replace_strict(
            distinct, pl.Series(vocabulary.clean(distinct)), return_dtype=pl.UInt16
        )
        numbers[missed.to_numpy()] = cleaned.to_numpy()
    return numbers


def _by_category(values: pl.Series, vocabulary: Vocabulary) -> Numbers:
    """Encoded input stays encoded: only its dictionary is read."""
    dtype = values.dtype
    assert isinstance(dtype, pl.Categorical | pl.Enum)
    words = dtype.categories if isinstance(dtype, pl.Enum) else dtype.categories.to_series()
    lookup = np.append(vocabulary.clean(words), np.uint16(Vocabulary.ABSENT))
    physical = values.to_physical().cast(pl.UInt32).fill_null(len(words))
    return lookup.take(physical.to_numpy())
