"""One merchant at one PSP of the sandbox, and Tinko beside it on a database of its own.

The sandbox is the PSP: its API over HTTP by the official SDKs, its signed webhooks, its faults, and
its own ledger of truth by which every test judges. Business time is the sandbox's and stands until
`advance`; wall time is moved by the test where leases have to pass.
"""

import json
import re
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil

import httpx
import stripe
from sqlalchemy import text

from tests.contract.adapter_stages import AMOUNT, STAGES
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.inbox.heal import heal
from tinko_pipelines.core.inbox.process import process_inbox
from tinko_pipelines.core.inbox.store import IncomingEvent, store_events
from tinko_pipelines.core.ledger.apply import apply_observation, lock_refs
from tinko_pipelines.core.psp import registry
from tinko_pipelines.core.psp.types import (
    Credentials,
    DoorKind,
    DoorSeen,
    DoorStatus,
    HandOver,
    Observation,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery.cases import open_cases
from tinko_pipelines.core.recovery.charge import Charger, no_point
from tinko_pipelines.core.recovery.claim import claim_due
from tinko_pipelines.core.recovery.deciding import decide_due
from tinko_pipelines.core.recovery.payer_door import open_payer_door
from tinko_pipelines.core.recovery.unknown import read_pending, resolve_unresolved
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.core.tenants.connecting import webhook_url
from tinko_pipelines.core.tenants.connections import create_connection
from tinko_pipelines.core.tenants.desk import Desk
from tinko_pipelines.core.tenants.organisations import create_organisation

BACK = "https://shop.example.com/back"
TIMEOUT = 5.0
LEASE = 60.0


@dataclass
class MovableWall:
    """Wall time that a test moves; `monotonic` goes with it."""

    instant: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def now(self):
        return self.instant

    def rate(self):
        return 1.0

    def monotonic(self):
        return self.instant.timestamp()

    def advance(self, **span):
        self.instant += timedelta(**span)


class Killed(BaseException):
    """What a kill of the process looks like from inside: nothing after it is run."""


def kill_at(label):
    def point(here):
        if here == label:
            raise Killed(label)

    return point


class Shop:
    """See the module. `psp` is `stripe` or `razorpay`; `name` makes the account its own, and
    `beside` another shop's merchant the owner of both."""

    def __init__(self, sandbox, receiver, database, psp, name, beside=None):
        self.sandbox, self.receiver, self.database = sandbox, receiver, database
        self.stage = STAGES[psp](sandbox, f"acct_{name}")
        account = self.stage.account
        self.wall, self.clock = MovableWall(), FixedClock(self.stage.now())
        if beside is not None:
            self.wall, self.clock = beside.wall, beside.clock
        self.engine = database.worker
        keys = self.stage.credentials
        credentials = Credentials(
            keys.api_key, keys.api_secret, (account["webhook_secret"],), keys.base_url
        )
        with unit_of_work(self.engine) as connection:
            self.org = beside.org if beside is not None else create_organisation(
                connection, f"acme-{psp}", "Acme", self.clock.now()
            )  # fmt: skip
            self.connection_id = create_connection(
                connection, self.org.org_id, self.stage.psp, account["account_id"], credentials,
                self.clock.now(), livemode=False,
            )  # fmt: skip
        # the receiver answers at any path
        self.webhook = webhook_url(receiver.url, self.stage.psp, self.connection_id)
        self.endpoint(url=self.webhook)
        self.merchants = set()
        self.settings = get_settings()
        self.desk = Desk(self.engine, self.settings)
        self.seat = self.desk.seat(self.connection_id)

    def endpoint(self, **said):
        """Set the merchant's webhook at the PSP."""
        account = self.stage.account["account_id"]
        self.sandbox.ask("PUT", "endpoints", psp=self.stage.psp.value, account_id=account, **said)

    # --- time and news -----------------------------------------------------------------------

    def advance(self, **span):
        self.stage.advance(**span)
        self.clock.instant = self.stage.now()

    def post(self):
        """Store what webhooks brought, as the API does, without working it off."""
        reader, psp = registry.reader(self.stage.psp), self.stage.psp
        arrived, self.receiver.got[:] = list(self.receiver.got), []
        secrets = (self.stage.account["webhook_secret"],)
        events = []
        for headers, raw in arrived:
            reader.verify_webhook(raw, headers, secrets)
            parsed = reader.parse_event(json.loads(raw), headers)
            events.append(IncomingEvent.of(self.org.org_id, self.connection_id, psp, parsed, raw))
        if events:
            with unit_of_work(self.engine, self.org.org_id) as connection:
                store_events(connection, events, self.clock.now())
        return len(events)

    def work(self, limit=500):
        return process_inbox(self.engine, self.desk, self.clock, limit)

    def hear(self, **span):
        """Time passes, webhooks come, and the inbox is worked off."""
        self.advance(**(span or {"minutes": 2}))
        self.post()
        return self.work()

    def think(self):
        """Classify, open cases, decide; returns what was decided by action."""
        classify_failures(self.engine, self.clock)
        open_cases(self.engine, self.clock)
        return dict(decide_due(self.engine, self.clock).actions)

    def heal(self, days=30):
        end = self.clock.now() + timedelta(hours=1)
        return heal(self.engine, self.seat, self.clock, end - timedelta(days=days), end)

    # --- a failed debt and a retry of ours ---------------------------------------------------

    def failed_debt(self, kind="failing_debt", **how):
        """A debt whose first attempt failed, known to the ledger, its failure classified."""
        if self.stage.psp.value == "razorpay":
            # a mandate without NPCI's hours, whose debits Razorpay announces by itself
            how = {"method": "emandate", "notify": True} | how
        made = getattr(self.stage, kind)(**how)
        # over the API all calls look alike: what was made until here was the merchant's
        self.merchants |= {one["id"] for one in self.truth()}
        self.hear()
        classify_failures(self.engine, self.clock)
        open_cases(self.engine, self.clock)
        return made

    def obligation(self):
        ((found,),) = self.rows("select id from obligations where state <> 'superseded'")
        return found

    def debt_of(self, debt):
        """The obligation of one of several debts."""
        ((found,),) = self.rows(
            "select obligation_id from psp_refs where object_id = :id", id=debt.ref.object_id
        )
        return found

    def plan(self, debt, obligation=None, method_ref=None, instrument="looked up", at=None,
             network="visa"):  # fmt: skip
        """One scheduled retry on the debt's good instrument, due now unless `at`."""
        ref = method_ref or debt.good
        if instrument == "looked up":
            instrument = self.instrument(ref)
        attempt, now = new_id(self.clock.now()), self.clock.now()
        obligation = obligation or self.obligation()
        with unit_of_work(self.engine) as connection:
            connection.execute(
                query("recovery", "schedule"),
                {
                    "id": attempt, "org_id": self.org.org_id, "connection_id": self.connection_id,
                    "psp": self.stage.psp.value, "obligation_id": obligation, "case_id": None,
                    "door_id": debt.ref.object_id, "amount": AMOUNT, "currency": debt.currency,
                    "method": debt.method, "network": network if debt.method == "card" else None,
                    "country": "US" if debt.method == "card" else "IN",
                    "instrument_key": instrument, "payment_method_ref": ref, "decision_id": None,
                    "guard_rows": "[]", "scheduled_at": at or now, "now": now,
                },
            )  # fmt: skip
        return attempt

    def instrument(self, ref):
        """What the PSP's charges will show as the instrument behind a stored method."""
        if self.stage.psp.value == "razorpay":
            return ref
        return self.stage.sdk.v1.payment_methods.retrieve(ref).card.fingerprint

    def apply(self, **said):
        """Write an observation into the ledger, as an event that says so would."""
        seen = Observation(**said)
        with unit_of_work(self.engine) as connection:
            lock_refs(connection, self.seat.account, [seen])
            apply_observation(connection, self.seat.account, seen, self.clock.now())

    def own_retries(self, owner):
        self.write("update connections set retry_owner = :owner", owner=owner)
        self.desk = Desk(self.engine, self.settings)
        self.seat = self.desk.seat(self.connection_id)

    def hard_decline(self):
        """As if the failure had been one that no retry may follow."""
        self.write("update failures set hard = true, retry_advice = 'never'")

    def declined_again(self, debt, heard=True):
        """The merchant's own integration tries the bad instrument once more."""
        if self.stage.psp.value == "razorpay":
            self.debit_again(debt, debt.failed_body["token_id"])
            self.advance(days=6)
        else:
            with suppress(stripe.CardError):
                self.stage.sdk.v1.invoices.pay(debt.ref.object_id)
            self.advance(minutes=2)
        self.merchants |= {one["id"] for one in self.truth()}
        if heard:
            self.post()
            self.work()
            classify_failures(self.engine, self.clock)

    def debit_again(self, debt, token=None):
        """The merchant's own integration debits the order once more (Razorpay)."""
        self.stage.sdk.payment.createRecurring(
            {"email": "someone@example.com", "contact": "+919812300001", "amount": AMOUNT,
             "currency": "INR", "order_id": debt.ref.object_id, "customer_id": debt.customer,
             "token": token or debt.good, "recurring": True}
        )  # fmt: skip
        self.merchants |= {one["id"] for one in self.truth()}

    def lose_mandate(self, debt):
        """The payer takes the stored instrument away; nobody has told us (Razorpay)."""
        self.stage.sdk.token.cancel(debt.customer, debt.failed_body["token_id"])

    def wait_for_the_next(self):
        """Let time pass until the scheduled attempt is due."""
        ((due,),) = self.rows("select scheduled_at from attempts where state = 'scheduled'")
        if due > self.clock.now():
            self.advance(seconds=ceil((due - self.clock.now()).total_seconds()))

    def count_on(self, instrument, times, hours=1):
        """`times` earlier tries on an instrument, as the guards' counters hold them."""
        for number in range(times):
            self.write(
                "insert into guard_counters (attempt_id, org_id, psp, account_id, instrument_key,"
                " obligation_id, amount_minor, currency, initiator, state, counted_at)"
                " values (:id, :org, :psp, :account, :instrument, :id, 1000, 'USD', 'merchant',"
                " 'failed', :at)",
                id=new_id(self.clock.now()), org=self.org.org_id, psp=self.stage.psp.value,
                account=self.stage.account["account_id"], instrument=instrument,
                at=self.clock.now() - timedelta(hours=hours, seconds=number),
            )  # fmt: skip

    # --- other doors -------------------------------------------------------------------------

    def page_of(self, debt):
        """The debt's own page, which its payer may have had for long."""
        if debt.door_kind is DoorKind.PAYMENT_INTENT:
            return self.seat.adapter.hand_over(self.seat.adapter.read((debt.ref,)), BACK)
        if self.stage.psp.value == "razorpay":
            return HandOver(f"{self.sandbox.url}/hosted/razorpay/checkout/{debt.ref.object_id}")
        return HandOver(self.stage.sdk.v1.invoices.retrieve(debt.ref.object_id).hosted_invoice_url)

    def second_door(self, debt):
        """A Checkout Session or Payment Link of the same debt, known to the ledger; its page."""
        mark = {"tinko_debt": debt.ref.object_id}
        if self.stage.psp.value == "razorpay":
            link = self.stage.sdk.payment_link.create(
                {"amount": AMOUNT, "currency": "INR", "notes": mark, "reference_id": "second",
                 "customer": {"email": "someone@example.com", "contact": "+919812300001"}}
            )  # fmt: skip
            ref, kind, url = link["id"], DoorKind.PAYMENT_LINK, link["short_url"]
        else:
            price = {"currency": "usd", "unit_amount": AMOUNT, "product_data": {"name": "March"}}
            session = self.stage.sdk.v1.checkout.sessions.create(
                {"mode": "payment", "success_url": BACK, "customer": debt.customer,
                 "metadata": mark, "line_items": [{"quantity": 1, "price_data": price}]}
            )  # fmt: skip
            ref, kind, url = session.id, DoorKind.CHECKOUT_SESSION, session.url
        door = DoorSeen(kind, ref, DoorStatus.OPEN, url)
        self.apply(refs=(debt.ref, Ref(RefKind(kind.value), ref)), doors=(door,))
        return HandOver(url)

    def lock_door(self, seconds):
        """The lock of a process that died while it opened a door."""
        with unit_of_work(self.engine) as connection:
            connection.execute(
                query("charging", "lock_debt"),
                {"obligation_id": self.obligation(), "org_id": self.org.org_id, "purpose": "door",
                 "attempt_id": None, "token": new_id(self.wall.now()), "wall": self.wall.now(),
                 "lease_until": self.wall.now() + timedelta(seconds=seconds)},
            )  # fmt: skip

    # --- what goes wrong ---------------------------------------------------------------------

    def faults(self, **script):
        self.stage.faults(**script)

    def before(self, method, action):
        """Let `action` happen once, right before the next call of that adapter method."""
        adapter = Interleaved(self.seat.adapter, method, action)
        self.desk.seats[self.connection_id] = replace(self.seat, adapter=adapter)
        known = registry._cache[self.connection_id]
        registry._cache[self.connection_id] = (*known[:3], adapter)

    # --- charging ----------------------------------------------------------------------------

    def claims(self, limit=10):
        return claim_due(self.engine, self.clock, self.wall, limit=limit, lease_seconds=LEASE)

    def charger(self, point=no_point):
        return Charger(self.engine, self.desk, self.clock, self.wall, TIMEOUT, point)

    def charge(self, point=no_point):
        """Claim the one attempt that is due and make it."""
        (claim,) = self.claims()
        return self.charger(point).make(claim)

    def charge_and_die(self, label):
        try:
            self.charge(kill_at(label))
        except Killed:
            return
        raise AssertionError(f"there is no point {label}")

    def resolve(self):
        return dict(resolve_unresolved(self.engine, self.desk, self.clock, self.wall))

    def read_pending(self):
        return dict(read_pending(self.engine, self.desk, self.clock))

    def payer_door(self, obligation=None, chosen=None):
        return open_payer_door(
            self.database.app, self.org.org_id, obligation or self.obligation(), self.clock,
            self.wall, self.settings, BACK, chosen,
        )  # fmt: skip

    # --- what is so --------------------------------------------------------------------------

    def rows(self, statement, **values):
        with unit_of_work(self.engine) as connection:
            return [tuple(one) for one in connection.execute(text(statement), values)]

    def write(self, statement, **values):
        with unit_of_work(self.engine) as connection:
            connection.execute(text(statement), values)

    def state(self, attempt):
        ((found,),) = self.rows("select state from attempts where id = :id", id=attempt)
        return found

    def history(self, entity, entity_id):
        return [
            one for (one,) in self.rows(
                "select to_state from state_history where entity = :entity and entity_id = :id"
                " order by seq", entity=entity, id=entity_id,
            )
        ]  # fmt: skip

    def debt_state(self):
        ((found,),) = self.rows("select state from obligations where state <> 'superseded'")
        return found

    def locks(self):
        return self.rows("select purpose from charge_locks")

    def taken(self):
        """What the PSP itself says was captured in this account, net of refunds."""
        return sum(one["captured"] - one["refunded"] for one in self.truth())

    def tries(self):
        """The attempts of ours that the PSP itself saw."""
        return [
            one
            for one in self.truth()
            if one["actor"] == "tinko" and one["id"] not in self.merchants
        ]

    def truth(self):
        """Every attempt in this account, by the PSP's own ledger."""
        mine = f"{self.stage.psp.value}:{self.stage.account['account_id']}"
        debts = self.sandbox.ask("GET", "debts")["debts"]
        return [one for debt in debts if debt["account"] == mine for one in debt["attempts"]]


class Interleaved:
    """The real adapter, and something that happens in between."""

    def __init__(self, adapter, method, action):
        self._adapter, self._method, self._action = adapter, method, action

    def __getattr__(self, name):
        if name == self._method and self._action is not None:
            action, self._action = self._action, None
            action()
        return getattr(self._adapter, name)


def side_by_side(*calls):
    """Run the calls in threads that start together; their results or exceptions, in order."""
    start, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(number, call):
        start.wait()
        try:
            results[number] = call()
        except BaseException as error:
            results[number] = error

    threads = [
        threading.Thread(target=run, args=(number, call)) for number, call in enumerate(calls)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return results


def pay_page(way, card="new"):
    """A payer on the PSP's hosted page; what came of it the truth says."""
    with httpx.Client(trust_env=False) as http:
        url, fields = way.url, dict(way.fields)
        if way.post:
            url = re.search(r'action="([^"]+)"', http.post(url, data=fields).text)[1]
        http.post(url, data=fields | {"card": card})
