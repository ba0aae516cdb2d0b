"""Text columns as small numbers: a dictionary join of a frame with the words of the code table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from tinko_pipelines.core.failures.classifier import BLANKS

Numbers = npt.NDArray[np.uint16]


class Vocabulary:
    """The words a column is compared with, numbered from 2: 0 is no text, 1 is any other word."""

    ABSENT, OTHER, KNOWN = 0, 1, 2

    def __init__(self, words: Iterable[str]) -> None:
        self.words = sorted({*words} - {""})
        self.size = len(self.words) + self.KNOWN
        self._number = {word: n for n, word in enumerate(self.words, self.KNOWN)}
        self._enum = pl.Enum(self.words)

    def number(self, word: str) -> int:
        """The number of one clean word."""
        return self._number.get(word, self.OTHER) if word else self.ABSENT

    def exact(self, column: str) -> pl.Expr:
        """Numbers of the values spelled as the table spells them; everything else is null."""
        numbers = pl.col(column).cast(self._enum, strict=False).to_physical()
        return numbers.cast(pl.UInt16) + self.KNOWN

    def clean(self, values: pl.Series) -> pl.Series:
        """Numbers of any text, trimmed and in lower case: what `classifier.word` does to one."""
        words = values.str.strip_chars(BLANKS).str.to_lowercase().rename("w").to_frame()
        other = pl.when(pl.col("w") == "").then(self.ABSENT).otherwise(self.OTHER)
        return words.select(self.exact("w").fill_null(other.cast(pl.UInt16))).to_series()


def encode(frame: pl.DataFrame, vocabularies: Mapping[str, Vocabulary]) -> dict[str, Numbers]:
    """The numbers of each named column of `frame`, in its order.

    A column that is missing or holds no text is absent everywhere. The exact spelling is tried
    first, over all columns at once; only the distinct spellings it missed are cleaned.
    """
    dtypes = {name: frame.schema.get(name, pl.Null()) for name in vocabularies}
    text = [name for name, dtype in dtypes.items() if dtype == pl.String]
    exact = frame.select(vocabularies[name].exact(name) for name in text)
    encoded = {}
    for name, vocabulary in vocabularies.items():
        dtype = dtypes[name]
        if dtype == pl.String:
            encoded[name] = _complete(frame[name], exact[name], vocabulary)
        elif isinstance(dtype, pl.Categorical | pl.Enum):
            encoded[name] = _by_category(frame[name], vocabulary)
        else:
            encoded[name] = np.zeros(frame.height, np.uint16)
    return encoded


def _complete(values: pl.Series, exact: pl.Series, vocabulary: Vocabulary) -> Numbers:
    """`exact` with the differently spelled values filled in."""
    numbers = exact.fill_null(vocabulary.ABSENT).to_numpy(writable=True)
    if exact.null_count() > values.null_count():
        missed = (exact.is_null() & values.is_not_null()).arg_true()
        strays = values.gather(missed)
        spellings = strays.unique()
        numbers[missed.to_numpy()] = strays.replace_strict(
            spellings, vocabulary.clean(spellings), return_dtype=pl.UInt16
        ).to_numpy()
    return numbers


def _by_category(values: pl.Series, vocabulary: Vocabulary) -> Numbers:
    """Encoded input stays encoded: only its dictionary is read."""
    dtype = values.dtype
    assert isinstance(dtype, pl.Categorical | pl.Enum)
    words = dtype.categories if isinstance(dtype, pl.Enum) else dtype.categories.to_series()
    numbers = np.append(vocabulary.clean(words.fill_null("")).to_numpy(), vocabulary.ABSENT)
    physical = values.to_physical().cast(pl.UInt32).fill_null(len(words)).to_numpy()
    return numbers.take(physical).astype(np.uint16)
