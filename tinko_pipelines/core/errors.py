"""Errors are types with a code. The API turns them into RFC 9457 problem details as they are."""

from __future__ import annotations

from typing import Any, ClassVar


class TinkoError(Exception):
    """Base of every expected error.

    `code` names the kind for programs, `status` is the HTTP status the API answers with,
    `detail` says to a person what was wrong and what to do. `extra` are further members of
    the problem document.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class InvalidInput(TinkoError):
    code, status, title = "invalid_input", 422, "The input is not valid"


class NotFound(TinkoError):
    code, status, title = "not_found", 404, "There is no such thing"


class Conflict(TinkoError):
    code, status, title = "conflict", 409, "The state does not allow this"


class Unauthenticated(TinkoError):
    code, status, title = "unauthenticated", 401, "Credentials are missing or wrong"


class SettingsError(TinkoError):
    code, status, title = "settings_invalid", 500, "A setting is missing or malformed"


class InvalidTransition(Conflict):
    code, title = "invalid_transition", "This change of state is not allowed"


class SignatureInvalid(TinkoError):
    code, status, title = "signature_invalid", 401, "The webhook's signature does not match"


class SignatureStale(TinkoError):
    code, status, title = "signature_stale", 400, "The webhook's timestamp is too old"


class UnknownConnection(NotFound):
    code, title = "connection_unknown", "No active connection has this id"


class BodyTooLarge(TinkoError):
    code, status, title = "body_too_large", 413, "The body is larger than allowed"


class BodyNotJson(TinkoError):
    code, status, title = "body_not_json", 400, "The body is not a JSON object"


class LivemodeMismatch(TinkoError):
    code, status, title = "livemode_mismatch", 409, "Live and test mode do not match"


class PartitionMissing(TinkoError):
    code, status, title = "partition_missing", 503, "A table has no partition for this month"


class PspError(TinkoError):
    """A PSP refused a call or could not be reached; what that means is the subclass."""

    code, status, title = "psp_error", 502, "The payment provider did not do what was asked"


class PspUnreachable(PspError):
    """Timeout, dropped connection or 5xx: whether anything happened there is not known."""

    code, title = "psp_unreachable", "The payment provider could not be reached"


class PspRejected(PspError):
    """The PSP answered 4xx: nothing happened there, and the same call will not work again."""

    code, title = "psp_rejected", "The payment provider refused the request"


class PspKeyRefused(PspRejected):
    """The PSP answered 401: the connection's key is wrong, expired or revoked."""

    code, title = "psp_key_refused", "The payment provider refuses this connection's key"


class NotSupported(PspRejected):
    """This PSP has no such operation: nothing was sent. `detail` says what to do instead."""

    code, status, title = "psp_not_supported", 422, "The payment provider cannot do this"


class AccountMismatch(TinkoError):
    code, status, title = "account_mismatch", 409, "The event is of another PSP account"


class PspRateLimited(PspError):
    """The PSP answered 429, or our own limit for it is used up: nothing happened there, and the
    call may be made again, after `retry_after` seconds where that is known."""

    code, title = "psp_rate_limited", "The payment provider asks us to slow down"
