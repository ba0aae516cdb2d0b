"""Failures in Razorpay's words: its own reasons by method, with source and step.

Reasons are those of razorpay.com/docs/errors/payments/list. Where several words are usual for one
thing, the outcome's luck picks one.
"""

from __future__ import annotations

from dataclasses import dataclass

from tinko_pipelines.sandbox.payers import MADE_UP

PAUSED, UNTOLD, LATE = "paused", "untold", "late"
# no bank has confirmed these failures: the payment may still be authorised
MAY_BE_LATE = frozenset(("payment_timed_out", "request_timed_out", "deemed_transaction"))

_BANK, _CUSTOMER, _GATEWAY = "issuer_bank", "customer", "gateway"
_AUTHORIZE, _AUTHENTICATE = "payment_authorization", "payment_authentication"
_Word = tuple[str, str, str]

_TIMED_OUT: tuple[_Word, ...] = (
    ("gateway_technical_error", _GATEWAY, _AUTHORIZE),
    ("payment_timed_out", _GATEWAY, _AUTHORIZE),
)
_RISK: tuple[_Word, ...] = (("payment_risk_check_failed", "business", "payment_initiation"),)
_POOR: tuple[_Word, ...] = (("insufficient_funds", _CUSTOMER, _AUTHORIZE),)
_BLOCKED: tuple[_Word, ...] = (("debit_instrument_blocked", _CUSTOMER, _AUTHORIZE),)
_INACTIVE: tuple[_Word, ...] = (("debit_instrument_inactive", _CUSTOMER, _AUTHORIZE),)
_NOT_TOLD: tuple[_Word, ...] = (("gateway_technical_error", _GATEWAY, "payment_initiation"),)
_PAUSED: tuple[_Word, ...] = (("debit_declined", _CUSTOMER, _AUTHORIZE),)

_WORDS: dict[str, dict[str, tuple[_Word, ...]]] = {
    "card": {
        "insufficient_funds": _POOR,
        "limit_exceeded": (("credit_limit_exceeded", _BANK, _AUTHORIZE),
                           ("transaction_daily_limit_exceeded", _BANK, _AUTHORIZE)),
        "issuer_unavailable": (("issuer_technical_error", _BANK, _AUTHORIZE),
                               ("bank_technical_error", _BANK, _AUTHORIZE)),
        "processing_error": _TIMED_OUT,
        "do_not_honor": (("card_declined", _BANK, _AUTHORIZE),
                         ("payment_declined", _BANK, _AUTHORIZE)),
        "auth_failed": (("incorrect_otp", _CUSTOMER, _AUTHENTICATE),
                        ("authentication_failed", _CUSTOMER, _AUTHENTICATE)),
        "auth_required": (("authentication_failed", _CUSTOMER, _AUTHENTICATE),),
        "expired": (("card_expired", _CUSTOMER, _AUTHORIZE),),
        "lost": _BLOCKED, "stolen": _BLOCKED, "restricted": _BLOCKED,
        "closed": _INACTIVE, "revoked": _INACTIVE, "fraud": _RISK,
        "not_permitted": (("international_transaction_not_allowed", _BANK, _AUTHORIZE),),
    },
    "upi": {
        "insufficient_funds": _POOR,
        "limit_exceeded": (("transaction_daily_limit_exceeded", _BANK, _AUTHORIZE),
                           ("transaction_frequency_limit_exceeded", _BANK, _AUTHORIZE)),
        "issuer_unavailable": (("bank_technical_error", _BANK, _AUTHORIZE),
                               ("psp_not_available", "customer_psp", _AUTHORIZE)),
        "processing_error": (*_TIMED_OUT, ("deemed_transaction", _BANK, _AUTHORIZE),
                             ("upi_app_technical_error", "customer_psp", _AUTHORIZE)),
        "do_not_honor": (("debit_declined", _BANK, _AUTHORIZE),
                         ("payment_declined", _BANK, _AUTHORIZE)),
        "auth_failed": (("incorrect_pin", _CUSTOMER, _AUTHENTICATE),
                        ("payment_cancelled", _CUSTOMER, _AUTHENTICATE),
                        ("payment_collect_request_expired", _CUSTOMER, _AUTHENTICATE)),
        "closed": (("bank_account_invalid", _CUSTOMER, _AUTHORIZE),), "revoked": _INACTIVE,
        "not_permitted": (("transaction_on_vpa_restricted", _BANK, _AUTHORIZE),),
    },
    "emandate": {
        "insufficient_funds": _POOR,
        "limit_exceeded": (("transaction_limit_exceeded", _BANK, _AUTHORIZE),),
        "issuer_unavailable": (("bank_not_available", _BANK, _AUTHORIZE),
                               ("bank_cutoff_in_progress", _BANK, _AUTHORIZE)),
        "processing_error": (("bank_technical_error", _BANK, _AUTHORIZE), _TIMED_OUT[0]),
        "do_not_honor": (("payment_declined", _BANK, _AUTHORIZE),
                         ("payment_failed", _BANK, _AUTHORIZE)),
        "auth_failed": (("payment_cancelled", _CUSTOMER, _AUTHENTICATE),),
        "closed": (("bank_account_invalid", _CUSTOMER, _AUTHORIZE),),
        "revoked": _BLOCKED, "restricted": _BLOCKED,
    },
}  # fmt: skip
_LATE: tuple[_Word, ...] = (_TIMED_OUT[1],)
_ANY: dict[str, tuple[_Word, ...]] = {PAUSED: _PAUSED, UNTOLD: _NOT_TOLD, LATE: _LATE}
_GATEWAY_ERRORS = frozenset(
    ("gateway_technical_error", "payment_timed_out", "request_timed_out", "deemed_transaction",
     "bank_technical_error", "issuer_technical_error", "bank_not_available", "psp_not_available",
     "bank_cutoff_in_progress", "upi_app_technical_error")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as a payment entity names it."""

    reason: str
    source: str
    step: str
    made_up: bool = False

    @property
    def code(self) -> str:
        return "GATEWAY_ERROR" if self.reason in _GATEWAY_ERRORS else "BAD_REQUEST_ERROR"

    @property
    def description(self) -> str:
        """What Razorpay would tell the payer, in one sentence."""
        return f"Your payment didn't go through: {self.reason.replace('_', ' ')}."


def failure(method: str, code: str, luck: float) -> Failure:
    """The words for a neutral code (payers.SOFT, HARD, …); `method` card, upi or emandate."""
    if code.startswith(MADE_UP):
        return Failure(code.removeprefix(MADE_UP), _GATEWAY, _AUTHORIZE, made_up=True)
    usual = (("payment_failed", _BANK, _AUTHORIZE),)
    words = _ANY.get(code) or _WORDS[method].get(code, usual)
    # luck also drew the code itself at its low end: its low digits pick the word
    return Failure(*words[int(luck * 1_000_003) % len(words)])
