"""Bars in text, for the markdown of Dagster's metadata."""

from __future__ import annotations

WIDTH = 24  # characters of the longest bar


def bar(value: int, most: int, mark: str = "█") -> str:
    """`value` as its share of `most` (above 0), in `mark` and padded to `WIDTH`. Pure."""
    full = round(WIDTH * value / most)
    return mark * full + "·" * (WIDTH - full)
