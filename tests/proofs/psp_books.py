"""The books of two small PSPs for one debt: what they keep, what they send, what a read shows."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.keys import key_of
from tinko_pipelines.core.psp.types import (
    DisputeSeen,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Psp,
    Ref,
    RefKind,
)

START = datetime(2026, 7, 1, tzinfo=UTC)
DUE = 1000
S = PaymentStatus
_DECLINED = {
    Psp.STRIPE: ErrorInfo(psp="stripe", decline_code="insufficient_funds"),
    Psp.RAZORPAY: ErrorInfo(psp="razorpay", reason="insufficient_funds"),
}
_DOOR = {Psp.STRIPE: (RefKind.PAYMENT_INTENT, "pi"), Psp.RAZORPAY: (RefKind.ORDER, "order")}


@dataclass(frozen=True)
class Event:
    """One message of the PSP. `keeps`: nothing else could ever tell what it says."""

    at: datetime
    said: Observation
    keeps: bool = False


@dataclass(frozen=True)
class Ours:
    """A try of ours at business time `at`: planned, or sent, and then `payment` came of it."""

    at: datetime
    attempt_id: uuid.UUID
    payment: str | None


@dataclass
class Part:
    """What hangs together at the PSP: an owner (invoice, session, link, cycle) and its door."""

    owner: Ref | None
    door: Ref
    since: datetime
    linked: datetime  # from when on the PSP shows that it is the same debt as the first part
    payments: list[str] = field(default_factory=list)

    @property
    def refs(self) -> tuple[Ref, ...]:
        return (self.owner, self.door) if self.owner else (self.door,)


class PspBooks:
    """See the module. `now` is the PSP's time, which who tells the story moves on.

    `retried`: from when on the PSP collects again by itself; `told_paid`: when it said to be paid
    outside of any attempt; `given_up`: when, and how.
    """

    def __init__(self, number: int, seed: int) -> None:
        self.number, self.draw = number, random.Random(f"{seed}:{number}")
        self.psp = self.draw.choice(list(Psp))
        self.events: list[Event] = []
        self.ours: list[Ours] = []
        self.parts: list[Part] = []
        self.versions: dict[str, list[tuple[datetime, PaymentSeen]]] = {}
        self.disputes: dict[str, list[tuple[datetime, DisputeSeen]]] = {}
        self.given_up: tuple[datetime, str] | None = None
        self.told_paid: datetime | None = None
        self.retried: datetime | None = None
        self.now = START + timedelta(hours=self.draw.randrange(24 * 20))

    # --- what the PSP keeps and sends -------------------------------------------------------

    def _part(self, kind: RefKind | None, prefix: str, letter: str) -> Part:
        door = _DOOR[self.psp]
        owner = Ref(kind, f"{prefix}_{self.number}_{letter}") if kind else None
        return Part(owner, Ref(door[0], f"{door[1]}_{self.number}_{letter}"), self.now, self.now)

    def _pay(self, part: Part, actor: str, ends: PaymentStatus) -> None:
        name = f"{'ch' if self.psp is Psp.STRIPE else 'pay'}_{self.number}_{len(self.versions)}"
        waits = self.draw.random() < 0.25
        attempt = new_id(self.now) if actor == "tinko" else None
        card = f"{self.number}{'p' if actor == 'payer' else 's'}"
        made = PaymentSeen(
            object_id=name, status=S.PENDING if waits else ends, amount=DUE, currency="INR",
            occurred_at=self.now, updated_at=self.now, method="card", network="visa",
            country="IN", instrument_key=f"fp_{card}", payment_method_ref=f"pm_{card}",
            payer_present=actor == "payer", refunded=0, door=part.door.object_id,
            error=_DECLINED[self.psp] if not waits and ends is S.FAILED else None,
            tinko_attempt=str(attempt) if attempt and self.psp is Psp.RAZORPAY else None,
        )  # fmt: skip
        if attempt:
            self.ours.append(Ours(self.now, attempt, name))
        part.payments.append(name)
        self.versions[name] = [(self.now, made)]
        self._tell(name, key_of(attempt) if attempt else None)
        if waits:
            self._pass(1, 48)
            self._move(name, ends)

    def _move(self, payment: str, status: PaymentStatus) -> None:
        error = _DECLINED[self.psp] if status is S.FAILED else None
        self._set(payment, status=status, error=error, updated_at=self.now)
        self._tell(payment)

    def _refund(self, payment: str, total: int) -> None:
        self._set(payment, refunded=total)
        refs = (self._part_of(payment).door, Ref(RefKind.PAYMENT, payment))
        said = Observation(refs=refs, extra={"refund": "re"})
        if self.psp is Psp.RAZORPAY:
            said = replace(said, payments=(self._version(payment),))
        self.events.append(Event(self.now, said))
        self._tell(payment, refunds=True)

    def _tell_dispute(self, payment: str, seen: DisputeSeen) -> None:
        refs = (self._part_of(payment).door, Ref(RefKind.PAYMENT, payment))
        told = (self._version(payment),) if self.psp is Psp.RAZORPAY else ()
        said = Observation(refs=refs, payments=told, disputes=(seen,))
        self.events.append(Event(self.now, said, keeps=self.psp is Psp.RAZORPAY))

    def _tell(self, payment: str, key: str | None = None, refunds: bool = False) -> None:
        part, version = (
            self._part_of(payment),
            replace(self._version(payment), updated_at=self.now, idempotency_key=key),
        )
        refs = (part.door, Ref(RefKind.PAYMENT, payment))
        said = Observation(refs=refs, currency="INR", payments=(version,))
        if refunds:
            said = replace(said, extra={"refund": payment})
        self.events.append(Event(self.now, said))
        if version.status is S.SUCCEEDED or self.draw.random() < 0.5:
            self._describe(part)

    def _describe(self, part: Part) -> None:
        self.events.append(Event(self.now, self._shown(part, self.now)))

    # --- what a read shows ------------------------------------------------------------------

    def _shown(self, part: Part, at: datetime) -> Observation:
        """The part's own object: what is due, how much is paid, who retries."""
        taken = sum(
            one.amount for name in part.payments for one in self._at(name, at)
            if one.status is S.SUCCEEDED
        )  # fmt: skip
        main = part is self.parts[0]
        paid = main and self.told_paid is not None and self.told_paid <= at
        over = main and self.given_up is not None and self.given_up[0] <= at
        named = part.owner or part.door
        status = (
            DoorStatus.PAID if taken or paid else DoorStatus.CLOSED if over else DoorStatus.OPEN
        )
        billed = named.kind in (RefKind.INVOICE, RefKind.SUBSCRIPTION_CYCLE)
        retries = self.retried is not None and self.retried <= at
        return Observation(
            refs=part.refs, due=DUE, paid=DUE if paid else min(taken, DUE), due_from=named.kind,
            currency="INR", created_at=part.since,
            doors=(DoorSeen(DoorKind(named.kind.value), named.object_id, status),),
            psp_retries=retries if billed else None,
            terminal=self.given_up[1] if over and self.given_up else None,
        )  # fmt: skip

    def read(self, refs: tuple[Ref, ...], at: datetime) -> list[Observation]:
        """What the PSP shows at `at` of the debt that `refs` stand for, oldest first."""
        named = {ref.object_id for ref in refs}
        mine = [part for part in self.parts if part.since <= at and self._names(part) & named]
        if any(part.linked <= at for part in mine):
            mine = [part for part in self.parts if part.linked <= at]
        found = []
        for part in mine:
            found.append(replace(self._shown(part, at), has_mandate=True))
            for name in part.payments:
                found += [
                    Observation(
                        refs=(part.door, Ref(RefKind.PAYMENT, name)),
                        payments=(one,),
                        disputes=self._disputes_of(name, at) if self.psp is Psp.STRIPE else (),
                    )
                    for one in self._at(name, at)
                ]
        retries = self.retried is not None and self.retried <= at
        return [replace(one, psp_retries=retries) for one in found]

    def listed(self, at: datetime) -> list[Observation]:
        """What a listing shows, object by object: for whoever missed events."""
        found = [self._shown(part, at) for part in self.parts]
        for part in self.parts:
            for name in part.payments:
                refs = (part.door, Ref(RefKind.PAYMENT, name))
                found += [
                    Observation(refs=refs, currency="INR", payments=(one,))
                    for one in self._at(name, at)
                ]
        return found

    def _disputes_of(self, payment: str, at: datetime) -> tuple[DisputeSeen, ...]:
        shown = ([one for since, one in kept if since <= at] for kept in self.disputes.values())
        return tuple(one[-1] for one in shown if one and one[-1].payment_id == payment)

    def _at(self, payment: str, at: datetime) -> list[PaymentSeen]:
        return [one for since, one in self.versions[payment] if since <= at][-1:]

    def _names(self, part: Part) -> set[str]:
        return {ref.object_id for ref in part.refs} | set(part.payments)

    def _part_of(self, payment: str) -> Part:
        return next(part for part in self.parts if payment in part.payments)

    def _version(self, payment: str) -> PaymentSeen:
        return self.versions[payment][-1][1]

    def _set(self, payment: str, **now: object) -> None:
        self.versions[payment].append((self.now, replace(self._version(payment), **now)))  # type: ignore[arg-type]

    def _is(self, payment: str, status: PaymentStatus) -> bool:
        return self._version(payment).status is status

    def _taken(self) -> int:
        return sum(
            one[-1][1].amount for one in self.versions.values() if one[-1][1].status is S.SUCCEEDED
        )

    def _pass(self, least: int, most: int) -> None:
        self.now += timedelta(
            hours=self.draw.randint(least, most), seconds=self.draw.randrange(3600)
        )

    def _later(self, hours: int) -> datetime:
        return self.now + timedelta(hours=self.draw.randint(1, hours))
