"""Envelope encryption of a connection's credentials.

Each connection has a data key of its own, wrapped by the key of `CREDENTIALS_KEY`. Both layers
are AES-256-GCM and bound to the connection's id, so a row's secrets open in no other row.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from tinko_pipelines.core.errors import SettingsError

_NONCE = 12
_NAME = 4


@dataclass(frozen=True, slots=True)
class Sealed:
    """`credentials`: nonce and ciphertext. `wrapped_key`: wrapping key's name, nonce, data key."""

    credentials: bytes
    wrapped_key: bytes


class Envelope:
    """Seals with the first key; opens with whichever of the keys sealed."""

    def __init__(self, keys: tuple[bytes, ...]) -> None:
        self._keys = {_name(key): AESGCM(key) for key in keys}
        self._first = _name(keys[0])

    @classmethod
    def from_setting(cls, value: SecretStr | None) -> Envelope:
        """Keys as `CREDENTIALS_KEY` holds them: URL-safe base64 of 32 bytes each.

        Several are separated by commas, the newest first: older ones still open what they sealed.
        Raises SettingsError when there is none or one is malformed.
        """
        words = [word.strip() for word in value.get_secret_value().split(",")] if value else []
        if not words:
            raise SettingsError("CREDENTIALS_KEY is not set: URL-safe base64 of 32 random bytes")
        try:
            keys = tuple(base64.urlsafe_b64decode(word) for word in words)
        except (binascii.Error, ValueError):
            keys = ()
        if not keys or any(len(key) != 32 for key in keys):
            raise SettingsError("CREDENTIALS_KEY must be URL-safe base64 of 32 bytes")
        return cls(keys)

    def seal(self, secret: bytes, owner: UUID) -> Sealed:
        """Encrypt `secret` under a new data key, for the connection `owner` only."""
        data_key = AESGCM.generate_key(256)
        return Sealed(
            credentials=_encrypt(AESGCM(data_key), secret, owner),
            wrapped_key=self._first + _encrypt(self._keys[self._first], data_key, owner),
        )

    def open(self, sealed: Sealed, owner: UUID) -> bytes:
        """The secret again. Raises SettingsError when no key of the setting opens it."""
        wrapping = self._keys.get(sealed.wrapped_key[:_NAME])
        if wrapping is None:
            raise SettingsError(
                f"CREDENTIALS_KEY does not hold the key that sealed connection {owner}"
            )
        try:
            data_key = _decrypt(wrapping, sealed.wrapped_key[_NAME:], owner)
            return _decrypt(AESGCM(data_key), sealed.credentials, owner)
        except InvalidTag:
            raise SettingsError(
                f"the sealed credentials of connection {owner} are damaged"
            ) from None


def _name(key: bytes) -> bytes:
    return hashlib.sha256(b"tinko wrapping key" + key).digest()[:_NAME]


def _encrypt(cipher: AESGCM, plain: bytes, owner: UUID) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + cipher.encrypt(nonce, plain, owner.bytes)


def _decrypt(cipher: AESGCM, sealed: bytes, owner: UUID) -> bytes:
    return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner.bytes)
