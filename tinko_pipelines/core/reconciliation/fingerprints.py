"""Which rows of two large frames have no equal on the other side, without joining them. Pure.

Nearly all rows of two books are alike. A row's fingerprint is 64 bits of all that is compared of
it; only rows whose fingerprint the other side lacks are looked at further, and those exactly. What
chance can do is hide a fault: of a million faults among five million rows, once in some four
million reconciliations; and the totals of money, which are added up apart, would still differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

SEED = 20261123
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: neighbours end far apart
_SHIFT = np.uint64(29)
T = TypeVar("T")


@dataclass(frozen=True)
class Marked:
    """A frame with the fingerprints of its key and of all that is compared, key included."""

    frame: pl.DataFrame
    key: tuple[str, ...]
    keys: pl.Series
    whole: pl.Series


def mark(
    frame: pl.DataFrame, key: Sequence[str], compared: Sequence[str] = (), seed: int = SEED
) -> Marked:
    """Fingerprint each row. A null is a value too; equal columns must be of equal types, since a
    String and an Enum of the same word differ."""
    keys = _mixed(frame, key, np.zeros(frame.height, dtype=np.uint64), seed)
    whole = _mixed(frame, compared, keys.copy(), seed + len(key)) if compared else keys
    return Marked(frame, tuple(key), pl.Series("key", keys), pl.Series("whole", whole))


def mark_both(
    left: pl.DataFrame, right: pl.DataFrame, key: Sequence[str], compared: Sequence[str] = ()
) -> tuple[Marked, Marked]:
    """`mark` of two frames, at once."""
    return _at_once(lambda: mark(left, key, compared), lambda: mark(right, key, compared))


def unlike(left: Marked, right: Marked) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of each side that have no equal on the other."""
    return _at_once(lambda: _without(left, right), lambda: _without(right, left))


def repeated(one: Marked) -> pl.DataFrame:
    """The rows whose key another row of the same side has too."""
    if one.keys.n_unique() == one.frame.height:
        return one.frame.clear()
    suspects = one.frame.filter(one.keys.is_duplicated())
    # told exactly: two keys may share a fingerprint by chance
    return suspects.filter(pl.struct(one.key).is_duplicated())


def _mixed(
    frame: pl.DataFrame, columns: Sequence[str], made: npt.NDArray[np.uint64], seed: int
) -> npt.NDArray[np.uint64]:
    for place, name in enumerate(columns):
        made *= _ODD
        made ^= made >> _SHIFT
        made += frame[name].hash(seed + place).to_numpy()
    return made


def _without(one: Marked, other: Marked) -> pl.DataFrame:
    return one.frame.filter(~one.whole.is_in(other.whole.implode()))


def _at_once(first: Callable[[], T], second: Callable[[], T]) -> tuple[T, T]:
    """Both, each in a thread: what they do, numpy and Polars do outside of the interpreter."""
    with ThreadPoolExecutor(2) as hands:
        made = hands.submit(first), hands.submit(second)
        return made[0].result(), made[1].result()
