"""Debts as two small PSPs would live them, drawn from a number and a seed.

A lifecycle knows its own truth (psp_books.py), so that a ledger can be held against it however
its events arrived.
"""

from __future__ import annotations

from tests.proofs.psp_books import DUE, START, Event, Ours, PspBooks, S
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.psp.types import DisputeSeen, DisputeStatus, Observation, Psp, RefKind

__all__ = ["DUE", "START", "Life", "Ours", "S"]

# the kinds of debt, by PSP: the object that says what is due, and what is paid through it
_KINDS = {
    Psp.STRIPE: ((RefKind.INVOICE, "in"), (RefKind.CHECKOUT_SESSION, "cs"), (None, "pi")),
    Psp.RAZORPAY: ((RefKind.SUBSCRIPTION_CYCLE, "inv"), (None, "order")),
}
_SECOND = {
    Psp.STRIPE: (RefKind.CHECKOUT_SESSION, "cs"),
    Psp.RAZORPAY: (RefKind.PAYMENT_LINK, "plink"),
}


class Life(PspBooks):
    """One debt from its first charge to what became of the money. `events` as they were sent."""

    def __init__(self, number: int, seed: int) -> None:
        super().__init__(number, seed)
        self.parts.append(self._part(*self.draw.choice(_KINDS[self.psp]), "a"))
        kind = self.parts[0].owner.kind if self.parts[0].owner else None
        owned = kind in (RefKind.INVOICE, RefKind.SUBSCRIPTION_CYCLE)
        always = kind is RefKind.SUBSCRIPTION_CYCLE
        if always or (owned and self.draw.random() < 0.3):
            self.retried = self.now if always or self.draw.random() < 0.6 else self._later(4)
        self._live()
        if self.retried is not None and self.retried > self.parts[0].since:
            # a PSP says when it begins to collect again by itself (invoice.updated)
            self.events.append(Event(self.retried, self._shown(self.parts[0], self.retried)))
        self.events.sort(key=lambda one: one.at)

    def _live(self) -> None:
        draw = self.draw
        self._describe(self.parts[0])
        self._pay(self.parts[0], "merchant", S.FAILED if draw.random() < 0.85 else S.SUCCEEDED)
        if draw.random() < 0.35:
            self._open_second()
        for _ in range(draw.randrange(4)):
            if self._taken() >= DUE:
                break
            # longer than a slot of the replay: what we try, we try on what we know
            self._pass(7, 72)
            self._another_try()
        if self._taken() < DUE:
            self._end_unpaid()
        elif len(self.parts) > 1 and draw.random() < 0.2:
            # a payer who paid the other door all the same
            self._pass(1, 20)
            self._pay(self.parts[1], "payer", S.SUCCEEDED)
        for payment in [one for one in self.versions if self._is(one, S.SUCCEEDED)]:
            if draw.random() < 0.35:
                self._return(payment)

    def _another_try(self) -> None:
        draw, retried = self.draw, self.retried is not None and self.now >= self.retried
        part = draw.choice(self.parts)
        sent = any(one.payment for one in self.ours)
        actor = draw.choice(["payer", "psp" if retried else "merchant", "tinko"])
        if actor == "tinko" and (sent or retried):
            actor = "payer"
        if actor == "psp":
            part = self.parts[0]
        self._pay(part, actor, S.SUCCEEDED if draw.random() < 0.5 else S.FAILED)

    def _end_unpaid(self) -> None:
        luck = self.draw.random()
        self._pass(7, 40)
        failed = [one for one in self.versions if self._is(one, S.FAILED)]
        if luck < 0.15 and self.parts[0].owner:
            self.told_paid = self.now
            self._describe(self.parts[0])
        elif luck < 0.3 and self.parts[0].owner:
            self.given_up = (self.now, self.draw.choice(["void", "uncollectible"]))
            self._describe(self.parts[0])
        elif luck < 0.45 and failed:
            # a late authorisation of what had failed
            self._move(self.draw.choice(failed), S.SUCCEEDED)
        elif luck < 0.65:
            self.ours.append(Ours(self.now, new_id(self.now), None))

    def _return(self, payment: str) -> None:
        """Refunds, failed refunds, disputes."""
        self._pass(20, 200)
        luck, version = self.draw.random(), self._version(payment)
        if luck < 0.5:
            amount = self.draw.choice([300, version.amount])
            self._refund(payment, amount)
            if self.draw.random() < 0.3:
                self._pass(20, 100)
                self._refund(payment, 0)
            return
        name, ends = (
            f"dp_{self.number}_{len(self.disputes)}",
            [DisputeStatus.WON, DisputeStatus.LOST],
        )
        stands = [DisputeStatus.OPEN, *self.draw.sample(ends, k=self.draw.randrange(2))]
        for status in stands:
            seen = DisputeSeen(name, payment, status, version.amount, version.currency)
            self.disputes.setdefault(name, []).append((self.now, seen))
            self._set(payment, disputed=True)
            self._tell_dispute(payment, seen)
            self._pass(50, 150)

    def _open_second(self) -> None:
        self._pass(1, 30)
        part = self._part(*_SECOND[self.psp], "b")
        if self.draw.random() < 0.6:
            # that it is the same debt shows only later
            part.linked = self._later(60)
        self.parts.append(part)
        self._describe(part)
        if self.draw.random() < 0.5:
            self._pay(part, "payer", S.FAILED)
        if part.linked > part.since:
            linking = tuple(ref for one in self.parts for ref in one.refs[:1])
            self.events.append(Event(part.linked, Observation(refs=linking), keeps=True))
