"""The signed, expiring link of the payer's page: `{PUBLIC_URL}/pay/{token}`.

The token carries three ids and an expiry in business time; nothing of the payer. It is packed
(53 bytes) rather than JSON, so that the link stays short enough for a text message.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from itsdangerous import BadSignature, Signer

from tinko_pipelines.core.errors import NotFound, SettingsError, TinkoError
from tinko_pipelines.core.notifications.languages import zone
from tinko_pipelines.core.settings import Settings

VALID_FOR = timedelta(days=14)
_VERSION = 1
_LAYOUT = struct.Struct(">B16s16s16sI")
_SALT = "tinko.pay.link"


class LinkInvalid(NotFound):
    """The token was not made by us, or not for this."""

    code, title = "link_invalid", "This payment link does not exist"


class LinkExpired(TinkoError):
    """The token was ours and its time is over; `claims` say what it was for."""

    code, status, title = "link_expired", 410, "This payment link has expired"

    def __init__(self, claims: LinkClaims) -> None:
        super().__init__(
            "ask the merchant for a new link", expired_at=claims.expires_at.isoformat()
        )
        self.claims = claims


@dataclass(frozen=True, slots=True)
class LinkClaims:
    """What a link is for. `expires_at` is business time, to the second."""

    org_id: uuid.UUID
    case_id: uuid.UUID
    obligation_id: uuid.UUID
    expires_at: datetime


def link_expiry(now: datetime, timezone: str) -> datetime:
    """When a link made at `now` ends: with the last second of a day, so that the day we name in
    the message is a whole day of `timezone` (IANA, the merchant's).
    """
    local = (now + VALID_FOR).astimezone(zone(timezone))
    return local.replace(hour=23, minute=59, second=59, microsecond=0).astimezone(UTC)


def make_token(claims: LinkClaims, settings: Settings) -> str:
    """The URL-safe token of `claims`. Raises SettingsError when JWT_SECRET is not set."""
    packed = _LAYOUT.pack(
        _VERSION,
        claims.org_id.bytes,
        claims.case_id.bytes,
        claims.obligation_id.bytes,
        int(claims.expires_at.timestamp()),
    )
    return _signer(settings).sign(base64.urlsafe_b64encode(packed).rstrip(b"=")).decode()


def read_token(token: str, now: datetime, settings: Settings) -> LinkClaims:
    """The claims of `token` at business instant `now`.

    Raises LinkInvalid for what we did not sign (one spelling only: no token has a twin),
    LinkExpired from `expires_at` on, SettingsError when JWT_SECRET is not set.
    """
    signer = _signer(settings)
    try:
        payload = signer.unsign(token.encode())
        packed = base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))
        version, org, case, obligation, expires = _LAYOUT.unpack(packed)
    except (BadSignature, binascii.Error, struct.error, UnicodeError):
        raise LinkInvalid("the link is not one of ours, or was cut off when copied") from None
    if version != _VERSION or not hmac.compare_digest(signer.sign(payload), token.encode()):
        raise LinkInvalid("the link is not one of ours, or was cut off when copied")
    claims = LinkClaims(
        uuid.UUID(bytes=org),
        uuid.UUID(bytes=case),
        uuid.UUID(bytes=obligation),
        datetime.fromtimestamp(expires, UTC),
    )
    if now >= claims.expires_at:
        raise LinkExpired(claims)
    return claims


def pay_url(token: str, language: str, settings: Settings) -> str:
    """The address that goes into a message."""
    return f"{settings.public_url.rstrip('/')}/pay/{token}?lang={language}"


def require_secret(settings: Settings) -> None:
    """Raise SettingsError unless links can be signed."""
    _signer(settings)


def _signer(settings: Settings) -> Signer:
    secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else ""
    if not secret:
        raise SettingsError("JWT_SECRET is not set: payment links cannot be signed")
    return Signer(secret, salt=_SALT, sep=".", key_derivation="hmac", digest_method=hashlib.sha256)
