"""Make one claimed attempt: fresh read, permission and key, send, outcome (rule 8).

Three transactions, never one open over a network call: the claim (claim.py), the permission that
commits `submitted`, the outcome. A crash between any two leaves a state from which unknown.py
goes on: before `submitted` nothing was sent; after it, the PSP is asked.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from tinko_pipelines.core.clock import Clock, WallClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import PspError, PspRateLimited, PspRejected, PspUnreachable
from tinko_pipelines.core.ledger.apply import apply_observation, lock_refs
from tinko_pipelines.core.ledger.refs import refs_by_connection
from tinko_pipelines.core.ledger.states import COLLECTIBLE
from tinko_pipelines.core.psp.operations import NoticeRequest
from tinko_pipelines.core.psp.throttle import longest_call
from tinko_pipelines.core.psp.types import (
    ChargeRequest,
    Observation,
    Outcome,
    Ref,
)
from tinko_pipelines.core.recovery import attempts, breaker, notices
from tinko_pipelines.core.recovery.announcing import ask_notice, keep_notice
from tinko_pipelines.core.recovery.claim import Claim
from tinko_pipelines.core.recovery.elsewhere import shut_elsewhere
from tinko_pipelines.core.recovery.fresh import Fresh, Refs, is_mentioned
from tinko_pipelines.core.recovery.outcome import record_outcome, request_for
from tinko_pipelines.core.recovery.permission import (
    PAUSE,
    Permission,
    charge_door,
    door_of,
    may_charge,
    other_open_doors,
)
from tinko_pipelines.core.recovery.points import Point, no_point
from tinko_pipelines.core.recovery.submitting import Granted, Standing, stand, submit
from tinko_pipelines.core.tenants.desk import Desk, Seat

log = logging.getLogger(__name__)

# calls that a charge makes one after the other, the last of which moves money (Razorpay: order,
# customer, new order, debit)
SEND_CALLS = 4


@dataclass(frozen=True)
class Charger:
    """Makes claimed attempts. `timeout` is what one PSP call may take, in wall seconds."""

    engine: Engine
    desk: Desk
    clock: Clock
    wall: WallClock
    timeout: float
    point: Point = no_point

    def make(self, claim: Claim) -> str:
        """Make one attempt; returns what became of it: a state, or why it was not sent."""
        self.point("claimed")
        if claim.connection_id not in self.desk.seats:
            return self._give_back(claim, Permission(False, "connection.inactive"))
        seat = self.desk.seat(claim.connection_id)
        known, refs = self._known(claim.obligation_id)
        elsewhere = shut_elsewhere(
            self.engine, self.desk, claim.obligation_id, claim.connection_id, refs, self.clock
        )
        if elsewhere is not None:
            return self._give_back(claim, elsewhere)
        try:
            fresh = self._read(seat, known, refs.get(claim.connection_id, ()))
        except PspError as error:
            # nothing was sent: the PSP did not even answer a question
            paused = Permission(False, error.code, self.clock.now() + PAUSE)
            return self._give_back(claim, paused, seat, error)
        self.point("read")
        request, permission = self._submit(seat, claim, fresh, refs)
        if request is None:
            return self._give_back(claim, permission, seat)
        if isinstance(request, NoticeRequest):
            return self._notify(seat, claim, request)
        self.point("submitted")
        outcome, trouble = self._send(seat, claim, request)
        self.point("sent")
        state = self._record(seat, claim, outcome, trouble)
        self.point("recorded")
        return state

    def _known(self, obligation_id: uuid.UUID) -> tuple[Row[Any], Refs]:
        with unit_of_work(self.engine) as connection:
            known = connection.execute(query("charging", "mandate_of"), {"id": obligation_id}).one()
            return known, refs_by_connection(connection, obligation_id)

    def _read(self, seat: Seat, known: Row[Any], refs: tuple[Ref, ...]) -> Fresh:
        """The debt as it stands at the PSP, every other door shut and read back (rule 4)."""
        seen = seat.adapter.read(refs)
        others = other_open_doors(seen, charge_door(seen))
        for door in others:
            seat.adapter.close_door(door)
            self.point("door_closed")
        # what was paid through a door in the moment it was shut shows in a read after it
        seen = seat.adapter.read(refs) if others else seen
        return Fresh(seen, known.mandate_ref, known.has_mandate)

    def _submit(
        self, seat: Seat, claim: Claim, fresh: Fresh, refs: Refs
    ) -> tuple[ChargeRequest | NoticeRequest | None, Permission]:
        """The second transaction: everything that could forbid it, then key and `submitted`; or
        that the notice before it is asked for."""
        now, wall, seen = self.clock.now(), self.wall.now(), fresh.seen
        with unit_of_work(self.engine) as connection:
            lock_refs(connection, seat.account, [seen])
            overtaken = fresh.overtaken(connection, claim.obligation_id, now)
            if overtaken is not None:
                return None, overtaken
            apply_observation(connection, seat.account, seen, now)
            fence = {"id": claim.attempt_id, "token": claim.token, "wall": wall}
            if connection.execute(query("charging", "hold"), fence).one_or_none() is None:
                return None, Permission(False, "lease.lost")
            self.point("held")
            (standing,) = stand(connection, seat.account, [claim.attempt_id], now)
            permission = self._permission(connection, seat, standing, seen, refs, now)
            door = door_of(standing.attempt, seen)
            if permission.notify and door is not None:
                if not ask_notice(connection, claim, now, wall):
                    return None, Permission(False, "lease.lost")
                self.point("asking_notice")
                return notices.request_for(standing.attempt, standing.debt, door), permission
            if not permission.granted or door is None:
                return None, permission
            self.point("permitted")
            request = request_for(standing.attempt, standing.debt, door)
            sent = submit(
                connection, seat.account, [Granted(claim.token, request, permission)], now, wall
            )
            if not sent:
                return None, Permission(False, "lease.lost")
            self.point("submitting")
        return request, permission

    def _permission(
        self,
        connection: Connection,
        seat: Seat,
        standing: Standing,
        seen: Observation,
        refs: Refs,
        now: datetime,
    ) -> Permission:
        attempt, debt = standing.attempt, standing.debt
        if debt.state in COLLECTIBLE and attempts.is_case_closed(attempt):
            return Permission(False, f"case.{attempt.case_state}")
        named = {**refs, seat.account.connection_id: seen.refs}
        return may_charge(
            attempt,
            debt,
            seen,
            standing.facts(notice_required=notices.is_ours(attempt.psp, seen)),
            standing.tries,
            # as it is set now: the seat was read when the pass began
            retry_owner=attempt.retry_owner or seat.retry_owner,
            mentioned=is_mentioned(connection, named, debt.subscription_ref),
            now=now,
        )

    def _notify(self, seat: Seat, claim: Claim, request: NoticeRequest) -> str:
        """Ask for the notice, and let the attempt wait for it. Broken off at any point, the same
        notice is found again by its attempt, and it charges nobody."""
        self.point("asked_notice")
        if self._is_late(claim):
            return self._give_back(claim, Permission(False, "notice.late", self.clock.now()))
        try:
            told = seat.adapter.notify(request)
        except PspError as error:
            again_at = None if isinstance(error, PspRejected) else self.clock.now() + PAUSE
            return self._give_back(claim, Permission(False, error.code, again_at), seat, error)
        self.point("notified")
        now = self.clock.now()
        with unit_of_work(self.engine) as connection:
            keep_notice(connection, seat.account, claim, told, now)
            self._note_health(connection, seat, claim, None)
            self.point("keeping_notice")
        self.point("kept_notice")
        return "notice.asked"

    def _is_late(self, claim: Claim) -> bool:
        """Whether a send that is begun now could outlive the lease (real time)."""
        return self.wall.monotonic() + longest_call(self.timeout) * SEND_CALLS >= claim.deadline

    def _send(
        self, seat: Seat, claim: Claim, request: ChargeRequest
    ) -> tuple[Outcome, PspError | None]:
        """Never after the lease: a send that could outlive it is not begun (real time).

        Returns what came of it, and the PSP's error where there was one.
        """
        if self._is_late(claim):
            late = Outcome(None, sent=False, detail="the lease was over before it could be sent")
            return late, None
        self.point("sending")
        try:
            return seat.adapter.charge(request), None
        except PspError as error:
            sent = not isinstance(error, PspRejected | PspRateLimited)
            return Outcome(None, sent=sent, detail=f"{error.code}: {error.detail}"), error

    def _record(self, seat: Seat, claim: Claim, outcome: Outcome, error: PspError | None) -> str:
        """The third transaction: what came of it, `unknown` where nobody can say."""
        now = self.clock.now()
        with unit_of_work(self.engine) as connection:
            state = record_outcome(connection, seat, claim.attempt_id, outcome, now)
            self._note_health(connection, seat, claim, error)
            self.point("recording")
        return state

    def _give_back(
        self,
        claim: Claim,
        permission: Permission,
        seat: Seat | None = None,
        error: PspError | None = None,
    ) -> str:
        """Nothing was sent; `seat` where its PSP was asked."""
        now = self.clock.now()
        with unit_of_work(self.engine) as connection:
            back = attempts.Back(claim.attempt_id, claim.token, permission.again_at)
            attempts.give_back(connection, [back], now)
            if seat is not None:
                self._note_health(connection, seat, claim, error)
            self.point("giving_back")
        self.point("given_back")
        return permission.reason

    def _note_health(
        self, connection: Connection, seat: Seat, claim: Claim, error: PspError | None
    ) -> None:
        """Last in its transaction: the row is one for all attempts of the connection."""
        if isinstance(error, PspUnreachable):
            breaker.failed(connection, seat.account, self.wall.now(), probe=claim.probe)
        else:
            breaker.answered(connection, claim.connection_id, self.wall.now())
