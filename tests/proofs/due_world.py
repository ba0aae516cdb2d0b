"""Due attempts by the thousand, written straight into the tables; and a PSP of this process.

Debts are Stripe invoices whose first charge, by the merchant, failed two days ago. A share of them
is on a Mastercard that other debts are on too, so that its guard (ten a day) has work to do.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from tests.postgres import migrated_postgres
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import PspUnreachable
from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.apply import Account
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    Outcome,
    PaymentSeen,
    PaymentStatus,
    Psp,
    Ref,
    RefKind,
)
from tinko_pipelines.core.tenants.desk import Seat
from tinko_pipelines.local.postgres import EmbeddedPostgres

NOW = datetime(2026, 9, 7, 6, tzinfo=UTC)
BEFORE = NOW - timedelta(days=2)  # when the merchant's own charges failed
AMOUNT, CURRENCY = 4900, "USD"
# so many debts of an account share one Mastercard, on which nothing goes through (24 earlier
# declines leave room for ten today and eleven this month); one in how many debts is on such a card
SHARING, SHARED = 24, 5

_INSERTS = (
    """
    insert into obligations (
        id, org_id, connection_id, psp, state, due_minor, due_rank, currency, customer_ref,
        has_mandate, mandate_ref, psp_retries, created_at, updated_at
    )
    select id, :org, connection_id, 'stripe', 'open', :amount, 0,
        :currency, 'cus_' || n, true, 'pm_' || n, false, :before, :before
    from debts
    """,
    """
    insert into psp_refs (connection_id, object_id, org_id, kind, obligation_id)
    select connection_id, 'in_' || n, :org, 'invoice', id from debts
    """,
    """
    insert into doors (
        id, org_id, connection_id, obligation_id, kind, object_id, status, opened_by, created_at,
        updated_at
    )
    select id, :org, connection_id, id, 'invoice', 'in_' || n,
        'open', 'merchant', :before, :before
    from debts
    """,
    """
    insert into attempts (
        id, org_id, connection_id, psp, obligation_id, actor, state, psp_payment_id, door_id,
        amount_minor, currency, method, network, country, instrument_key, payment_method_ref,
        occurred_at, finished_at, classified_at, created_at, updated_at
    )
    select first_id, :org, connection_id, 'stripe', id, 'merchant',
        'failed', 'ch_first_' || n, 'in_' || n, :amount, :currency, 'card', network, 'US',
        instrument, 'pm_' || n, :before, :before, :before, :before, :before
    from debts
    """,
    """
    insert into failures (
        attempt_id, org_id, obligation_id, psp, category, retry_advice, hard, who_acts, confidence,
        late_authorisation, decided_by, failed_at, created_at
    )
    select first_id, :org, id, 'stripe', 'insufficient_funds', 'timed', false, 'payer', 0.9, false,
        'stripe.insufficient_funds', :before, :before
    from debts
    """,
    """
    insert into guard_counters (
        attempt_id, org_id, psp, account_id, instrument_key, obligation_id, amount_minor, currency,
        initiator, state, counted_at
    )
    select first_id, :org, 'stripe', account, instrument, id, :amount, :currency,
        'merchant', 'failed', :before
    from debts
    """,
    """
    insert into cases (
        id, org_id, connection_id, obligation_id, policy_version_id, state, opened_at, updated_at
    )
    select id, :org, connection_id, id, :org, 'retrying', :before,
        :before
    from debts
    """,
    """
    insert into attempts (
        id, org_id, connection_id, psp, obligation_id, case_id, actor, state, door_id,
        amount_minor, currency, method, network, country, instrument_key, payment_method_ref,
        guard_rows, scheduled_at, created_at, updated_at
    )
    select due_id, :org, connection_id, 'stripe', id, id, 'tinko',
        'scheduled', 'in_' || n, :amount, :currency, 'card', network, 'US', instrument,
        'pm_' || n, '[]', :due, :before, :before
    from debts
    """,
)


_DEBTS = """
    with debts as (
        select t.* from unnest(
            cast(:ids as uuid[]), cast(:firsts as uuid[]), cast(:dues as uuid[]),
            cast(:instruments as text[]), cast(:networks as text[]), cast(:numbers as int[]),
            cast(:connections as uuid[]), cast(:accounts as text[])
        ) as t (id, first_id, due_id, instrument, network, n, connection_id, account)
    )
"""
CHUNK = 5000


def make_due(engine, count, connections=1):
    """`count` attempts of ours, due at NOW, of so many connections; org and connection ids."""
    org, before = new_id(NOW), BEFORE
    ids, cards = [new_id(NOW) for _ in range(connections)], Cards(connections)
    values = {
        "org": org, "amount": AMOUNT, "currency": CURRENCY, "before": before,
        "due": NOW - timedelta(minutes=1),
    }  # fmt: skip
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        rows = {
            "ids": [new_id(before) for _ in numbers],
            "firsts": [new_id(before) for _ in numbers],
            "dues": [new_id(before) for _ in numbers],
            "instruments": [cards.instrument(number) for number in numbers],
            "networks": [cards.network(number) for number in numbers],
            "numbers": list(numbers),
            "connections": [ids[number % connections] for number in numbers],
            "accounts": [f"acct_{number % connections}" for number in numbers],
        }
        with unit_of_work(engine) as connection:
            for statement in _INSERTS:
                into, _, select = statement.partition("select ")
                wanted = {**values, **rows}
                made = text(f"{into} {_DEBTS} select {select}")
                connection.execute(made, {name: wanted[name] for name in made._bindparams})
    return org, ids


@dataclass(frozen=True)
class Cards:
    """Whose card a debt is on, by its number; debts go round the connections."""

    connections: int = 1

    def is_shared(self, number):
        return number // self.connections % SHARED == 0

    def instrument(self, number):
        """Its own card, or a Mastercard that it shares within its account."""
        if self.is_shared(number):
            return f"shared_{number // self.connections // (SHARED * SHARING)}"
        return f"own_{number}"

    def network(self, number):
        return "mastercard" if self.is_shared(number) else "visa"

    def pays(self, number):
        """Whether the card has the money: never a shared one, and two in three of the others."""
        return not self.is_shared(number) and number % 3 != 0


def number_of(invoice):
    """The number of a debt, by its invoice."""
    return int(invoice.removeprefix("in_"))


@dataclass
class HouseDesk:
    """Seats of the fake PSP, as Desk gives them."""

    seats: dict

    def seat(self, connection_id):
        return self.seats[connection_id]


@dataclass
class HousePsp:
    """The PSP of one connection, in this process, with a ledger of its own.

    It is away while `clock` stands within `outage` (start, end).
    """

    clock: object
    outage: tuple
    cards: Cards = field(default_factory=Cards)
    psp: Psp = Psp.STRIPE
    calls: list = field(default_factory=list)  # (instant, what, answered)
    charges: dict = field(default_factory=lambda: defaultdict(list))  # invoice: [(key, instant)]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def _answer(self, what):
        now = self.clock.now()
        away = self.outage[0] <= now < self.outage[1]
        with self.lock:
            self.calls.append((now, what, not away))
        if away:
            raise PspUnreachable("the PSP is away")
        return now

    def read(self, refs):
        self._answer("read")
        return self._seen(refs[0].object_id)

    def charge(self, request):
        now = self._answer("charge")
        with self.lock:
            self.charges[request.door_id].append((request.idempotency_key, now))
        seen = self._seen(request.door_id)
        return Outcome(seen.payments[-1].status, seen)

    def find_attempt(self, request):
        self._answer("find")
        made = self.charges.get(request.door_id, [])
        if not any(key == request.idempotency_key for key, _ in made):
            return Outcome(None)
        seen = self._seen(request.door_id)
        return Outcome(seen.payments[-1].status, seen)

    def _seen(self, invoice):
        number = number_of(invoice)
        made = self.charges.get(invoice, [])
        paid = bool(made) and self.cards.pays(number)
        payments = tuple(
            PaymentSeen(
                f"ch_{key}", PaymentStatus.SUCCEEDED if paid else PaymentStatus.FAILED, AMOUNT,
                CURRENCY, at, at, "card", self.cards.network(number), "US",
                self.cards.instrument(number), f"pm_{number}", idempotency_key=key,
                error=None if paid else ErrorInfo(psp="stripe", decline_code="insufficient_funds"),
            )
            for key, at in made
        )  # fmt: skip
        return Observation(
            refs=(Ref(RefKind.INVOICE, invoice),), due=AMOUNT, paid=AMOUNT if paid else 0,
            due_from=RefKind.INVOICE, currency=CURRENCY, customer=CustomerSeen(f"cus_{number}"),
            doors=(DoorSeen(DoorKind.INVOICE, invoice,
                            DoorStatus.PAID if paid else DoorStatus.OPEN),),
            payments=payments, psp_retries=False, has_mandate=True,
        )  # fmt: skip


def desk_of(org, connection_ids, clock, outage):
    """A desk whose every connection has a PSP of its own."""
    return HouseDesk(
        {
            one: Seat(Account(org, one, "stripe", f"acct_{number}"), "tinko",
                      HousePsp(clock, outage, Cards(len(connection_ids))))
            for number, one in enumerate(connection_ids)
        }
    )  # fmt: skip


def postgres_of(
    days: Iterable[int], *, fsync: bool = False
) -> AbstractContextManager[EmbeddedPostgres]:
    """A server of one's own, migrated, with the months around NOW."""
    return migrated_postgres((NOW + timedelta(days=ahead) for ahead in days), fsync=fsync)
