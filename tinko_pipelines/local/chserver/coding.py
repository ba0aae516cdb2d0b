"""Content encodings, both ways. The codecs come with clickhouse-connect."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Protocol

import lz4.frame
from backports import zstd

from tinko_pipelines.local.chserver.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, refused


class _Decompressor(Protocol):
    """What lz4 and zlib have in common: they stop at the end of a frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _frames(new: Callable[[], _Decompressor]) -> Callable[[bytes], bytes]:
    """Decode all the frames of a body: clients compress an insert block by block."""

    def decode_all(data: bytes) -> bytes:
        parts, rest = [], data
        while rest:
            decompressor = new()
            parts.append(decompressor.decompress(rest))
            if not decompressor.eof:
                raise EOFError("the last frame is cut off")
            rest = decompressor.unused_data or b""
        return b"".join(parts)

    return decode_all


# gzip and zstd read on behind a frame's end themselves
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": _frames(zlib.decompressobj),
    "lz4": _frames(lz4.frame.LZ4FrameDecompressor),
    "zstd": zstd.decompress,
}
# fast levels: the peer is on the same machine
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "zstd": lambda data: zstd.compress(data, level=1),
    "gzip": lambda data: gzip.compress(data, compresslevel=1),
    "deflate": lambda data: zlib.compress(data, level=1),
}


def decode(data: bytes, encoding: str) -> bytes:
    """Undo the Content-Encoding of a request. Raises EngineError when it cannot."""
    if encoding in {"", "identity"}:
        return data
    decoder = _DECODERS.get(encoding)
    if decoder is None:
        raise refused(NOT_IMPLEMENTED, "NOT_IMPLEMENTED", f"Unknown Content-Encoding {encoding}")
    try:
        return decoder(data)
    except Exception as error:
        raise refused(
            CANNOT_DECOMPRESS, "CANNOT_DECOMPRESS", f"The body is not valid {encoding}: {error}"
        ) from None


def choose(accepted: str) -> str | None:
    """The first of a client's Accept-Encoding list that we can produce, or None."""
    offered = {part.split(";")[0].strip() for part in accepted.lower().split(",")}
    return next((name for name in _ENCODERS if name in offered), None)


def encode(data: bytes, encoding: str) -> bytes:
    """Encode a response as `choose` said."""
    return _ENCODERS[encoding](data)
