"""Stripe's error envelopes: {"error": {type, code, message, …}} and the HTTP status of each."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """An answer that is not 2xx. `saved`: whether an idempotency key keeps it (Stripe keeps
    what came of an execution that began, not a refusal before it).
    """

    def __init__(self, status: int, type_: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.saved = status == 402
        self.error: dict[str, Any] = {"message": message, "type": type_, **more}
        if more.get("code"):
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{more['code']}"

    def body(self, request_id: str) -> dict[str, Any]:
        return {"error": {**self.error, "request_id": request_id}}


def invalid(message: str, **more: Any) -> StripeError:
    return StripeError(400, "invalid_request_error", message, **more)


def missing(param: str) -> StripeError:
    return invalid(f"Missing required param: {param}.", code="parameter_missing", param=param)


def wrong(param: str, message: str) -> StripeError:
    return invalid(message, param=param)


def no_such(what: str, id_: str, param: str = "id") -> StripeError:
    return StripeError(
        404, "invalid_request_error", f"No such {what}: '{id_}'", code="resource_missing",
        param=param,
    )  # fmt: skip


def unexpected_state(message: str, intent: dict[str, Any]) -> StripeError:
    return invalid(message, code="payment_intent_unexpected_state", payment_intent=intent)


def bad_key(key: str) -> StripeError:
    shown = f"{key[:8]}{'*' * max(0, len(key) - 12)}{key[-4:]}"
    return StripeError(401, "invalid_request_error", f"Invalid API Key provided: {shown}")


def declined(intent: dict[str, Any]) -> StripeError:
    """402 of a decline: the PaymentIntent's last error with the PaymentIntent itself."""
    last = dict(intent["last_payment_error"])
    type_, message = last.pop("type"), last.pop("message")
    last.pop("doc_url", None)
    return StripeError(402, type_, message, **last, payment_intent=intent)


# the answers of the fault script, by its name
FAULTS: dict[str, tuple[int, str, str, dict[str, str]]] = {
    "api_key_expired": (401, "invalid_request_error", "Expired API Key provided: sk_test_****",
                        {"code": "api_key_expired"}),
    "error_429": (429, "invalid_request_error", "Request rate limit exceeded.",
                  {"code": "rate_limit"}),
    "error_409": (409, "invalid_request_error",
                  "This object cannot be accessed right now because another API request or Stripe "
                  "process is currently accessing it.", {"code": "lock_timeout"}),
}  # fmt: skip


def fault(status: int, name: str) -> StripeError:
    known = FAULTS.get(name)
    if known is None:
        return StripeError(status, "api_error", "An unknown error occurred.")
    return StripeError(known[0], known[1], known[2], **known[3])
