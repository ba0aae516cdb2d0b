"""Postgres's own hash of a value, written again over columns of values.

`hash_bytes_extended` and `hash_uint32_extended` of src/common/hashfn.c (Bob Jenkins's lookup3),
which hash partitioning rests on, so that they stay as they are. A checksum of a column made in SQL
and one made here agree only where the value that was read back is the value that Postgres holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
Hashes = NDArray[np.uint64]
_BLOCK = 12
_START = np.uint32((0x9E3779B9 + 3923095) & 0xFFFFFFFF)
_STEPS = np.arange(_BLOCK)


def hash_bytes(data: NDArray[np.uint8], starts: Any, lengths: Any, seeds: Hashes) -> Hashes:
    """The hash of each value: `lengths[i]` bytes of `data` from `starts[i]`, under `seeds[i]`."""
    order = np.argsort(lengths, kind="stable")[::-1]
    starts, lengths = starts[order].astype(np.int64), lengths[order].astype(np.int64)
    a, b, c = _begin(lengths.astype(np.uint32), seeds[order])
    # a value's last block is read past its end, into what follows it
    padded = np.concatenate([data, np.zeros(_BLOCK, np.uint8)])
    # the four bytes from every position on, as little-endian words
    words = np.ndarray((len(padded) - 3,), "<u4", padded, 0, (1,))
    blocks = lengths // _BLOCK
    for number in range(int(blocks.max(initial=0))):
        # the longest stand first: those that have this block are a prefix
        active = int(np.searchsorted(-blocks, -number, side="left"))
        at = starts[:active] + number * _BLOCK
        a[:active] += words[at]
        b[:active] += words[at + 4]
        c[:active] += words[at + 8]
        a[:active], b[:active], c[:active] = _mix(a[:active], b[:active], c[:active])
    k = _read(padded, starts + blocks * _BLOCK, lengths - blocks * _BLOCK)
    # the lowest byte of c is kept for the length
    hashed = _final(a + k[:, 0], b + k[:, 1], c + (k[:, 2] << np.uint32(8)))
    found = np.empty_like(hashed)
    found[order] = hashed
    return found


def hash_fixed(data: NDArray[np.uint8], width: int, seeds: Hashes) -> Hashes:
    """The hash of values of `width` bytes each that lie behind one another: UUIDs."""
    count = len(seeds)
    starts = np.arange(count, dtype=np.int64) * width
    return hash_bytes(data, starts, np.full(count, width, np.int64), seeds)


def hash_int32(values: Words, seeds: Hashes) -> Hashes:
    """The hash of 4-byte integers, given as unsigned ones."""
    a, b, c = _begin(np.full(len(values), 4, np.uint32), seeds)
    return _final(a + values, b, c)


def hash_int64(values: NDArray[np.int64], seeds: Hashes) -> Hashes:
    """The hash of 8-byte integers: of both halves together, so that it is a 4-byte one's too."""
    unsigned = values.view(np.uint64)
    low = unsigned.astype(np.uint32)
    high = (unsigned >> np.uint64(32)).astype(np.uint32)
    return hash_int32(low ^ np.where(values >= 0, high, ~high), seeds)


def total(hashes: Hashes) -> int:
    """The sum of hashes as signed 8-byte integers, as SQL's `sum(bigint)`, without overflow."""
    high = int((hashes >> np.uint64(32)).sum(dtype=np.uint64))
    low = int((hashes & np.uint64(0xFFFFFFFF)).sum(dtype=np.uint64))
    negative = int(np.count_nonzero(hashes >> np.uint64(63)))
    return (high << 32) + low - (negative << 64)


def _begin(lengths: Words, seeds: Hashes) -> tuple[Words, Words, Words]:
    start = lengths + _START
    # no seed is 0: Postgres would leave the mixing out
    high, low = (seeds >> np.uint64(32)).astype(np.uint32), seeds.astype(np.uint32)
    a, b, c = _mix(start + high, start + low, start.copy())
    plain = seeds == 0
    if plain.any():
        a[plain], b[plain], c[plain] = start[plain], start[plain], start[plain]
    return a, b, c


def _read(data: NDArray[np.uint8], starts: Any, lengths: Any = None) -> Words:
    """Three little-endian words from each start; bytes past a length of less than 12 are 0."""
    found = data[starts[:, None] + _STEPS]
    if lengths is not None:
        found[lengths[:, None] <= _STEPS] = 0
    blocks: Words = found.view("<u4")
    return blocks


def _rotated(value: Words, by: int) -> Words:
    return (value << np.uint32(by)) | (value >> np.uint32(32 - by))


def _mix(a: Words, b: Words, c: Words) -> tuple[Words, Words, Words]:
    for by_a, by_b, by_c in ((4, 6, 8), (16, 19, 4)):
        a = (a - c) ^ _rotated(c, by_a)
        c = c + b
        b = (b - a) ^ _rotated(a, by_b)
        a = a + c
        c = (c - b) ^ _rotated(b, by_c)
        b = b + a
    return a, b, c


def _final(a: Words, b: Words, c: Words) -> Hashes:
    c = (c ^ b) - _rotated(b, 14)
    a = (a ^ c) - _rotated(c, 11)
    b = (b ^ a) - _rotated(a, 25)
    c = (c ^ b) - _rotated(b, 16)
    a = (a ^ c) - _rotated(c, 4)
    b = (b ^ a) - _rotated(a, 14)
    c = (c ^ b) - _rotated(b, 24)
    return (b.astype(np.uint64) << np.uint64(32)) | c.astype(np.uint64)
