"""Whether an event belongs to the connection it came through (DESIGN.md rule 2). Pure."""

from __future__ import annotations

from tinko_pipelines.core.errors import AccountMismatch, LivemodeMismatch
from tinko_pipelines.core.psp.types import ParsedEvent, Psp

# how each PSP's account ids begin; a Razorpay connection may be known by its key alone
_ACCOUNTS = {Psp.STRIPE: "acct_", Psp.RAZORPAY: "acc_"}


def check_owner(event: ParsedEvent, psp: Psp, account_id: str, livemode: bool) -> None:
    """Raise LivemodeMismatch or AccountMismatch where `event` is not of this connection.

    Only what both sides know is compared: Stripe names an account for Connect alone, Razorpay in
    every event but in no answer to a key.
    """
    if event.livemode is not None and event.livemode != livemode:
        raise LivemodeMismatch("the event and the connection are not of the same mode")
    prefix = _ACCOUNTS[psp]
    known = account_id.startswith(prefix) and (event.account_id or "").startswith(prefix)
    if known and event.account_id != account_id:
        raise AccountMismatch(
            f"the event is of the {psp} account {event.account_id}, the connection is of another:"
            " set that account's webhook to its own address"
        )
