"""`claim`: claim, decide and record so many due attempts, against procrastinate doing trivial jobs.

Ours are the executor's own functions in batches: the claim with budgets, locks and leases; the
decision of may_charge() with every guard on freshly loaded facts, a batch counting its own earlier
attempts; `submitted` with key, evidence and counter; and the outcome, with the locks freed and the
cases woken. Debts stand in their real tables with histories; a fifth share cards, so that the
guards refuse some. The ceiling is the same statements with a constant decision.

What differs from execute_due(): it claims a handful at a time and gives each attempt a second and a
third transaction of its own, for each has its own calls before and after (rule 8). That is
`one_at_a_time`. In neither figure are those calls, nor what goes with an answer of theirs: looking
for unprocessed events, applying the observation to the ledger, the breaker's note.

procrastinate runs as many jobs that do nothing, deferred beforehand, with its own worker at the
concurrency that suits it best, in one process as ours, on the same Postgres. For all of them the
collector leaves alone what was imported, as in every process of ours (definitions.py).

On two cores the goal against procrastinate is out of reach: twenty times its jobs leaves about
85 us for an attempt, and the statements alone cost Postgres 140 to 178 us. What would have to go is
a record of the attempt, its counters or the flush of its commit; so the goal is printed as not met.
"""

import asyncio
import gc
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from sqlalchemy import text

from tests.benchmarks.harness import Benchmark, Further, register
from tests.integration.recovery.money_stage import MovableWall
from tests.proofs.due_world import AMOUNT, CURRENCY, NOW, make_due, postgres_of
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import libpq_url, make_engine, unit_of_work
from tinko_pipelines.core.guards.evaluate import Verdict
from tinko_pipelines.core.guards.evidence import Written
from tinko_pipelines.core.guards.model import Counted
from tinko_pipelines.core.ledger.apply import Account
from tinko_pipelines.core.ledger.states import AttemptState
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery import attempts
from tinko_pipelines.core.recovery.attempts import Back
from tinko_pipelines.core.recovery.budget import Bucket, Budgets
from tinko_pipelines.core.recovery.claim import claim_due
from tinko_pipelines.core.recovery.executing import SIDE_BY_SIDE
from tinko_pipelines.core.recovery.outcome import request_for
from tinko_pipelines.core.recovery.permission import Permission, charge_door, may_charge
from tinko_pipelines.core.recovery.submitting import Granted, stand, submit

DUE, BATCH = 5000, 500
# threads of one process: one decides while the others' statements run
HANDS = 3
CONCURRENCY = 10
LEAST_OF_PEER, LEAST_OF_CEILING = 20.0, 0.5
# no budget is to be measured here
PLENTY = Budgets(Bucket(1e9), Bucket(1e9))
CONSTANT = Written('{"verdict":{"rows":["constant"]}}', "0" * 64, "[]")
ALWAYS = Permission(True, "allowed", None, Verdict(True, ("constant",)), CONSTANT)
OUTCOMES = (AttemptState.SUCCEEDED, AttemptState.FAILED, AttemptState.UNKNOWN)
TABLES = ("attempts, obligations, psp_refs, doors, failures, guard_counters, cases, charge_locks,"
          " idempotency_keys, state_history, call_budgets, connection_health")  # fmt: skip


class Executor:
    """The executor's three transactions over a fresh world, without the network between them."""

    def __init__(self, engine, owner, due):
        self.engine, self.owner, self.due = engine, owner, due
        self.clock, self.wall = FixedClock(NOW), MovableWall()
        self.refused = Counter()
        self.outcomes = cycle(OUTCOMES)

    def fresh(self):
        """A world in which all is due; not measured."""
        with unit_of_work(self.owner) as connection:
            connection.execute(text(f"truncate {TABLES}"))
        org, (connection_id,) = make_due(self.engine, self.due)
        self.account = Account(org, connection_id, "stripe", "acct_0")
        with self.owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"vacuum analyze {TABLES}"))

    def rate(self, decide):
        """A contender: so many attempts a second with this decision."""
        return lambda: self.measured(HANDS, lambda: self.work(decide))

    def one_at_a_time(self):
        """As execute_due() goes about it: a few claimed together, each then on its own."""
        return self.measured(SIDE_BY_SIDE, self.work_singly)

    def measured(self, hands, work):
        """Attempts a second of so many hands that work side by side."""
        self.fresh()
        began = time.perf_counter()
        with ThreadPoolExecutor(hands) as pool:
            under_way = [pool.submit(work) for _ in range(hands)]
            done = sum(one.result() for one in under_way)
        took = time.perf_counter() - began
        if done != self.due:
            raise RuntimeError(f"{done} of {self.due} were claimed")
        return done / took

    def work(self, decide):
        """One hand, until nothing is due; how many attempts went through it."""
        done = 0
        while claims := self.claim(BATCH):
            self.make(claims, decide)
            done += len(claims)
        return done

    def work_singly(self):
        """The same with a second and a third transaction of its own for each."""
        done = 0
        while claims := self.claim(SIDE_BY_SIDE // 2):
            for one in claims:
                self.make([one], decide)
            done += len(claims)
        return done

    def claim(self, limit):
        return claim_due(self.engine, self.clock, self.wall, limit=limit, lease_seconds=60,
                         budgets=PLENTY)  # fmt: skip

    def make(self, claims, decide):
        """Second and third transactions of a batch. Attempts on cards that others of the batch are
        on too are likely to wait for the other hand's: those on cards of their own go before."""
        on_card = Counter(one.instrument_key for one in claims)
        sent, refused = [], []
        for shared in (False, True):
            part = [one for one in claims if (on_card[one.instrument_key] > 1) is shared]
            if part:
                self.submit(part, decide, sent, refused)
        now = self.clock.now()
        with unit_of_work(self.engine) as connection:
            if refused:
                attempts.give_back(connection, refused, now)
            if sent:
                attempts.move_all(connection, {one: next(self.outcomes) for one in sent}, now)

    def submit(self, claims, decide, sent, refused):
        """Decide each and commit to sending what is allowed; adds to `sent` and `refused`."""
        tokens = {one.attempt_id: one.token for one in claims}
        now, granted, earlier = self.clock.now(), [], defaultdict(list)
        with unit_of_work(self.engine) as connection:
            for standing in stand(connection, self.account, list(tokens), now):
                attempt = standing.attempt
                token, seen = tokens[attempt.id], _seen(attempt)
                permission = decide(standing, seen, earlier[attempt.instrument_key], now)
                if permission.granted:
                    earlier[attempt.instrument_key].append(
                        Counted(now, AMOUNT, CURRENCY, "merchant", False, "submitted")
                    )
                    request = request_for(attempt, standing.debt, charge_door(seen))
                    granted.append(Granted(token, request, permission))
                else:
                    self.refused[permission.reason] += 1
                    refused.append(Back(attempt.id, token, permission.again_at))
            sent += submit(connection, self.account, granted, now, self.wall.now())

    def bare(self):
        """The bare claim: SKIP LOCKED and an update of the state, in the same batches."""
        self.fresh()
        began = time.perf_counter()
        took = 1
        while took:
            with unit_of_work(self.engine) as connection:
                took = connection.execute(
                    text(
                        "update attempts set state = 'claimed', updated_at = :now where id in ("
                        " select id from attempts where state = 'scheduled'"
                        " order by scheduled_at limit :batch for update skip locked)"
                    ),
                    {"now": NOW, "batch": BATCH},
                ).rowcount
        return self.due / (time.perf_counter() - began)


def decide(standing, seen, earlier, now):
    """What the executor asks before every send."""
    return may_charge(
        standing.attempt, standing.debt, seen, standing.facts(earlier), standing.tries,
        retry_owner="tinko", mentioned=False, now=now,
    )  # fmt: skip


def constant(standing, seen, earlier, now):
    return ALWAYS


def _seen(attempt):
    """What the fresh read would say: the invoice is open."""
    return Observation(
        refs=(Ref(RefKind.INVOICE, attempt.door_id),), due=AMOUNT, paid=0, currency=CURRENCY,
        customer=CustomerSeen(), psp_retries=False, has_mandate=True,
        doors=(DoorSeen(DoorKind.INVOICE, attempt.door_id, DoorStatus.OPEN),),
    )  # fmt: skip


def procrastinate_rate(dsn, jobs):
    """A contender: trivial jobs a second, deferred beforehand, by procrastinate's own worker."""
    import procrastinate

    connector = procrastinate.PsycopgConnector(conninfo=dsn, max_size=CONCURRENCY + 4)
    app = procrastinate.App(connector=connector)

    @app.task(name="trivial")
    async def trivial(number):
        return None

    async def measured():
        async with app.open_async():
            await connector.execute_query_async("truncate procrastinate_jobs cascade")
            await trivial.batch_defer_async(*({"number": number} for number in range(jobs)))
            await connector.execute_query_async("analyze procrastinate_jobs")
            began = time.perf_counter()
            await app.run_worker_async(
                wait=False, concurrency=CONCURRENCY, listen_notify=False,
                install_signal_handlers=False,
            )  # fmt: skip
            took = time.perf_counter() - began
            done = await connector.execute_query_one_async(
                "select count(*) as done from procrastinate_jobs where status = 'succeeded'"
            )
        if done["done"] != jobs:
            raise RuntimeError(f"procrastinate did {done['done']} of {jobs}")
        return jobs / took

    async def prepare():
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    asyncio.run(prepare())
    return lambda: asyncio.run(measured())


@register("claim")
def claim(scale: float):
    """Attempts a second."""
    due = max(BATCH, int(DUE * scale))
    with postgres_of(days=(-31, 0, 31), fsync=True) as server:
        worker = make_engine(server.url("tinko_worker"), pool_size=8)
        owner = make_engine(server.url("tinko_owner"), pooled=False)
        server.create_database("peer")
        executor = Executor(worker, owner, due)
        bare = []
        gc.freeze()

        def further():
            bare.extend(executor.bare() for _ in range(3))
            return Further(
                {
                    "bare_skip_locked": round(sorted(bare)[1]),
                    "refused_by_guards": dict(executor.refused),
                    "one_at_a_time": round(executor.one_at_a_time()),
                    "due": due,
                }
            )

        try:
            yield Benchmark(
                unit="attempts/s",
                ours=executor.rate(decide),
                ceiling=executor.rate(constant),
                peers={
                    "procrastinate": procrastinate_rate(
                        libpq_url(server.url("tinko_owner", "peer")), due
                    )
                },
                ratio_to_ceiling=LEAST_OF_CEILING,
                ratio_to_best_peer=LEAST_OF_PEER,
                further=further,
            )
        finally:
            gc.unfreeze()
            worker.dispose()
            owner.dispose()
