"""Every draw is hash(seed, object, purpose, ordinal): no shared stream, no uuid4.

What one payer does therefore never depends on what another did before it, on threads, on
idempotency keys or on the wall clock; the same seed gives the same world, object by object.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Draws:
    """Draws of one seed. All methods are pure functions of their arguments and the seed."""

    def __init__(self, seed: int | str) -> None:
        self.seed = str(seed)
        self._key = blake2b(self.seed.encode(), digest_size=16).digest()

    def number(self, obj: str, purpose: str, ordinal: int | str = 0, size: int = 8) -> int:
        """A whole number of `size` bytes."""
        text = f"{obj}\x1f{purpose}\x1f{ordinal}".encode()
        return int.from_bytes(blake2b(text, digest_size=size, key=self._key).digest())

    def uniform(self, obj: str, purpose: str, ordinal: int | str = 0) -> float:
        """A float in [0, 1)."""
        return (self.number(obj, purpose, ordinal) >> 11) / (1 << 53)

    def chance(self, p: float, obj: str, purpose: str, ordinal: int | str = 0) -> bool:
        """True with probability `p`."""
        return self.uniform(obj, purpose, ordinal) < p

    def span(
        self, low: float, high: float, obj: str, purpose: str, ordinal: int | str = 0
    ) -> float:
        """A float in [low, high)."""
        return low + (high - low) * self.uniform(obj, purpose, ordinal)

    def between(self, low: int, high: int, obj: str, purpose: str, ordinal: int | str = 0) -> int:
        """An int in [low, high]."""
        return low + self.number(obj, purpose, ordinal) % (high - low + 1)

    def exponential(self, mean: float, obj: str, purpose: str, ordinal: int | str = 0) -> float:
        """An exponentially distributed float with that mean."""
        return -mean * math.log(1.0 - self.uniform(obj, purpose, ordinal))

    def choice(self, options: Sequence[T], obj: str, purpose: str, ordinal: int | str = 0) -> T:
        """One of the options, each as likely."""
        return options[self.number(obj, purpose, ordinal) % len(options)]

    def weighted(
        self, options: Mapping[T, float], obj: str, purpose: str, ordinal: int | str = 0
    ) -> T:
        """One of the options by weight."""
        return pick(options, self.uniform(obj, purpose, ordinal))

    def object_id(
        self, prefix: str, parent: str, purpose: str, ordinal: int | str = 0, length: int = 24
    ) -> str:
        """A PSP-like id: `prefix` and `length` base-62 characters."""
        rest, letters = self.number(parent, f"id:{purpose}", ordinal, size=20), []
        for _ in range(length):
            rest, digit = divmod(rest, 62)
            letters.append(_BASE62[digit])
        return prefix + "".join(letters)


def pick(options: Mapping[T, float], u: float) -> T:
    """The option at `u` in [0, 1) of the cumulated weights."""
    left = u * sum(options.values())
    for option, weight in options.items():
        left -= weight
        if left < 0:
            return option
    return list(options)[-1]
