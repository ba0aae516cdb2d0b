"""The idempotency keys of our own calls: how a payment is known to be ours."""

from __future__ import annotations

import uuid

from tinko_pipelines.core.psp.types import PaymentSeen

PREFIX = "tinko-"  # what every key of ours begins with


def key_of(attempt_id: uuid.UUID | str) -> str:
    """The idempotency key of an attempt of ours: one for ever, never minted anew (rule 9)."""
    return f"{PREFIX}{attempt_id}"


def our_keys(payment: PaymentSeen) -> list[str]:
    """The keys by which `payment` may be ours: that of the call that made it, then our mark in it.

    Every call of a merchant has some key; of ours each says so.
    """
    marked = payment.tinko_attempt and key_of(payment.tinko_attempt)
    return [key for key in (payment.idempotency_key, marked) if key and key.startswith(PREFIX)]
