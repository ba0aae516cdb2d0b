"""The neutral codes of `payers.py` in Stripe's words, and Stripe's test cards. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from tinko_pipelines.sandbox.payers import AUTH_REQUIRED, MADE_UP, Outcome

TRY_LATER, NEVER, CONFIRM = "try_again_later", "do_not_try_again", "confirm_card_data"


@dataclass(frozen=True, slots=True)
class Decline:
    """One decline: error `code`, `decline_code`, the network's code, and Stripe's advice."""

    code: str
    decline_code: str
    network: str | None
    advice: str | None
    message: str = "Your card was declined."
    never: bool = False  # a retry of this by a machine breaks a network's rule


def _declined(word: str, network: str | None, advice: str | None = None, **more: bool) -> Decline:
    return Decline("card_declined", word, network, advice, **more)  # type: ignore[arg-type]


_FUNDS = Decline("card_declined", "insufficient_funds", "51", TRY_LATER,
                 "Your card has insufficient funds.")  # fmt: skip

# several words of Stripe's for one neutral code: the outcome's luck picks
DECLINES: dict[str, tuple[Decline, ...]] = {
    "insufficient_funds": (_FUNDS,),
    "limit_exceeded": (
        _declined("withdrawal_count_limit_exceeded", "65", TRY_LATER),
        _declined("card_velocity_exceeded", "61", TRY_LATER),
    ),
    "issuer_unavailable": (
        _declined("issuer_not_available", "91", TRY_LATER),
        _declined("try_again_later", "92", TRY_LATER),
    ),
    "processing_error": (
        Decline("processing_error", "processing_error", "96", TRY_LATER,
                "An error occurred while processing your card. Try again in a little bit."),
        _declined("reenter_transaction", "19", TRY_LATER),
    ),
    "do_not_honor": (
        _declined("do_not_honor", "05", TRY_LATER),
        _declined("generic_decline", "05", TRY_LATER),
        _declined("call_issuer", "01", TRY_LATER),
        _declined("no_action_taken", "21", TRY_LATER),
    ),
    "expired": (Decline("expired_card", "expired_card", "54", CONFIRM, "Your card has expired.",
                        never=True),),
    "lost": (_declined("lost_card", "41", NEVER, never=True),),
    "stolen": (_declined("stolen_card", "43", NEVER, never=True),),
    "closed": (_declined("invalid_account", "14", CONFIRM, never=True),),
    "restricted": (
        _declined("pickup_card", "04", NEVER, never=True),
        _declined("restricted_card", "62", NEVER, never=True),
    ),
    "revoked": (
        _declined("revocation_of_authorization", "R1", NEVER, never=True),
        _declined("stop_payment_order", "R0", NEVER, never=True),
        _declined("revocation_of_all_authorizations", "R3", NEVER, never=True),
    ),
    "fraud": (_declined("fraudulent", "59", NEVER, never=True),),
    "not_permitted": (
        _declined("transaction_not_allowed", "57", NEVER, never=True),
        _declined("card_not_supported", "57", None, never=True),
    ),
    AUTH_REQUIRED: (
        Decline("authentication_required", "authentication_required", "1A", None,
                "Your card was declined. This transaction requires authentication.", never=True),
    ),
    "auth_failed": (Decline("incorrect_cvc", "incorrect_cvc", "N7", CONFIRM,
                            "Your card's security code is incorrect."),),
}  # fmt: skip

# Mastercard's own advice: 01 new account data, 02 try later, 03 never, 21 payment cancelled;
# 24 to 30 later, after so many hours or days
_MERCHANT_ADVICE = {TRY_LATER: "02", NEVER: "03", CONFIRM: "01"}
TIMED_ADVICE = ("24", "25", "26", "27", "28", "29", "30")


def decline_of(outcome: Outcome) -> Decline:
    """Stripe's words for a failed outcome. Raises KeyError for a code nobody translated."""
    code = outcome.code or ""
    if code.startswith(MADE_UP):
        return Decline("card_declined", code.removeprefix(MADE_UP), "05", None)
    if code.startswith("stripe:"):
        return _declined(code.removeprefix("stripe:"), "05")
    words = DECLINES[code]
    return words[int(outcome.luck * len(words))]


def network_advice(decline: Decline, network: str) -> str | None:
    """Mastercard sends merchant advice codes; others do not."""
    if network != "mastercard" or decline.advice is None:
        return None
    return "21" if decline.network in ("R0", "R1", "R3") else _MERCHANT_ADVICE[decline.advice]


# https://docs.stripe.com/testing: what each test card does, by its token and its number
TEST_CARDS: dict[str, tuple[str, str, str, str]] = {
    # token suffix: (number, network, country, neutral code or '')
    "visa": ("4242424242424242", "visa", "US", ""),
    "mastercard": ("5555555555554444", "mastercard", "US", ""),
    "amex": ("378282246310005", "amex", "US", ""),
    "in": ("4000003560000008", "visa", "IN", ""),
    "refundFail": ("4000000000005126", "visa", "US", ""),
    "chargeDeclined": ("4000000000000002", "visa", "US", "stripe:generic_decline"),
    "chargeDeclinedInsufficientFunds": ("4000000000009995", "visa", "US", "insufficient_funds"),
    "chargeDeclinedLostCard": ("4000000000009987", "visa", "US", "lost"),
    "chargeDeclinedStolenCard": ("4000000000009979", "visa", "US", "stolen"),
    "chargeDeclinedExpiredCard": ("4000000000000069", "visa", "US", "expired"),
    "chargeDeclinedIncorrectCvc": ("4000000000000127", "visa", "US", "auth_failed"),
    "chargeDeclinedProcessingError": ("4000000000000119", "visa", "US", "processing_error"),
    "chargeCustomerFail": ("4000000000000341", "visa", "US", "stripe:generic_decline"),
    "authenticationRequired": ("4000002760003184", "visa", "DE", AUTH_REQUIRED),
}
BY_NUMBER = {number: suffix for suffix, (number, *_rest) in TEST_CARDS.items()}
