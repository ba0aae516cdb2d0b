"""What somebody asks the classifier about, as the errors it reads: a webhook's body or a code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinko_pipelines.core.errors import InvalidInput
from tinko_pipelines.core.failures.classifier import ErrorInfo, word
from tinko_pipelines.core.failures.coderow import NETWORK_KINDS, CodeRow, MatchKind
from tinko_pipelines.core.failures.codetable import DEFAULT_NETWORK, CodeTable, default_table
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.payload import part
from tinko_pipelines.core.psp.stripe.payments import error_of
from tinko_pipelines.core.psp.types import Psp

# where a Stripe object other than a charge keeps the error of its last try
_STRIPE_ERRORS = ("last_payment_error", "last_setup_error", "last_finalization_error")


def of_event(body: Mapping[str, Any]) -> ErrorInfo:
    """The error of the failed payment a webhook's body speaks of, the last one where it speaks of
    several. Raises InvalidInput where the body is no event, or no payment in it failed."""
    psp = _psp_of(body)
    try:
        errors = list(_errors(psp, body))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InvalidInput(f"event: cannot be read as one of {psp.capitalize()}'s") from error
    if not errors:
        raise InvalidInput("event: no payment in it has failed")
    return errors[-1]


def _psp_of(body: Mapping[str, Any]) -> Psp:
    if isinstance(part(body, "data", "object"), Mapping):
        return Psp.STRIPE
    if isinstance(body.get("payload"), Mapping) and isinstance(body.get("event"), str):
        return Psp.RAZORPAY
    raise InvalidInput("event: neither a Stripe event (data.object) nor Razorpay's (payload)")


def _errors(psp: Psp, body: Mapping[str, Any]) -> Iterator[ErrorInfo]:
    if psp is Psp.STRIPE:
        for name in _STRIPE_ERRORS:
            found = part(body, "data", "object", name)
            if isinstance(found, Mapping):
                yield error_of(found)
    payments = registry.reader(psp).observe_event(body).payments
    ordered = sorted(payments, key=lambda payment: payment.updated_at)
    yield from (payment.error for payment in ordered if payment.error is not None)


def of_code(
    code: str, psp: Psp | None, network: str | None, table: CodeTable | None = None
) -> tuple[ErrorInfo, tuple[CodeRow, ...]]:
    """A bare code as the error it most precisely is, and the other rows the same code could mean.

    Where `psp` or `network` is given, only their rows are asked, and a network's code also means
    what ISO 8583 says. A code that nobody knows is the PSP's bare code.
    """
    table = table or default_table()
    said, owner = word(code), word(network)
    known = [row for row in table.rows if row.code == said and _is_asked(row, psp, owner, table)]
    order = list(MatchKind)
    # a card network's own meaning is asked for by its name; unnamed, ISO 8583's comes first
    known.sort(key=lambda row: (order.index(row.kind), row.owner != DEFAULT_NETWORK or bool(owner)))
    if not known:
        return ErrorInfo(psp=psp, code=code, network=network), ()
    return _error(known[0], code, psp, network), tuple(known[1:])


def _is_asked(row: CodeRow, psp: Psp | None, network: str, table: CodeTable) -> bool:
    if row.kind is MatchKind.DEFAULT or row.error_source or row.error_step:
        return False
    if row.kind not in NETWORK_KINDS:
        return not network and psp in (None, row.owner)
    if not network:
        return psp is None
    if network in table.spellings(row.owner):
        return True
    return row is table.find_decline(network, row.code)


def _error(row: CodeRow, code: str, psp: Psp | None, network: str | None) -> ErrorInfo:
    if row.kind in NETWORK_KINDS:
        own = None if row.owner == DEFAULT_NETWORK else row.owner
        named = {"psp": psp, "network": network or own}
    else:
        named = {"psp": row.owner, "network": network}
    return ErrorInfo.of(named | {str(row.kind): code})
