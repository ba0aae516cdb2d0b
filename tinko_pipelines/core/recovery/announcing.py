"""The two writes around a pre-debit notice: that it is asked for, and the door that came of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.psp.operations import Notice
from tinko_pipelines.core.recovery import attempts
from tinko_pipelines.core.recovery.claim import Claim
from tinko_pipelines.core.recovery.notices import DEBIT_AFTER


def ask_notice(connection: Connection, claim: Claim, now: datetime, wall: datetime) -> bool:
    """Commit to asking, before anything is asked; False where the lease is over."""
    fence = {"id": claim.attempt_id, "token": claim.token, "wall": wall, "now": now}
    return connection.execute(query("charging", "ask_notice"), fence).one_or_none() is not None


def keep_notice(
    connection: Connection, account: Account, claim: Claim, told: Notice, now: datetime
) -> None:
    """The notice's door is the debt's and ours, and its attempt waits until the debit may come.

    Under a lost lease only the door is kept: whoever has the attempt now finds the same one.
    """
    lock_refs(connection, account, [told.observation])
    apply_observation(connection, account, told.observation, now, opened_by="tinko")
    values = {
        "id": claim.attempt_id,
        "token": claim.token,
        "door": told.door.object_id,
        "now": now,
    }
    connection.execute(query("charging", "keep_notice"), values)
    back = attempts.Back(claim.attempt_id, claim.token, now + DEBIT_AFTER)
    attempts.give_back(connection, [back], now)
