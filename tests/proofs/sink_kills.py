"""kill -9 of the sink at each labelled point, and its targets taken away, on a moving ledger.

After each the ledger stands still and a fresh process goes on; then both targets hold every row of
the ledger once, as it is now, and not even a version of a row was written twice.
"""

import random
import uuid
from collections import Counter
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import text

from tests.proofs.sink_worker import NOW, RELATIONS, WITHIN, Order
from tests.s3 import ACCESS, SECRET
from tinko_pipelines.core.analytics import lake, schema
from tinko_pipelines.core.analytics.errors import AnalyticsUnavailable
from tinko_pipelines.core.analytics.sink import LABELS, each
from tinko_pipelines.core.analytics.targets import opened
from tinko_pipelines.core.analytics.watermark import rewind
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.settings import Settings

DEATHS = (*LABELS, WITHIN)
TARGETS = ("clickhouse", "s3")
BATCH_ROWS = 50
SIGKILLED = -9

_DEBT = text(
    "insert into obligations (id, org_id, connection_id, psp, state, due_minor, currency,"
    " created_at, updated_at)"
    " values (:id, :org, :org, 'stripe', 'open', :minor, 'USD', :now, :now)"
)
_TRY = text(
    "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor, state,"
    " amount_minor, currency, method, created_at, updated_at)"
    " values (:id, :org, :org, 'stripe', :debt, 'merchant', 'failed', :minor, 'USD', 'card',"
    " :now, :now)"
)
_MINOR = {"obligations": "due_minor", "attempts": "amount_minor"}


@dataclass
class Tally:
    kills: Counter = field(default_factory=Counter)
    outages: int = 0
    rows: int = 0
    wrong: list = field(default_factory=list)


@dataclass
class Stage:
    """Real servers, a fresh database, and a bucket. `clickhouse` and `s3` can be killed and
    started; `work` performs an order in a process of its own."""

    worker: str
    clickhouse: object
    s3: object
    bucket: str
    work: object

    def __post_init__(self):
        self.engine = make_engine(self.worker, pool_size=2)
        self.org = uuid.uuid4()
        self.address = {
            "clickhouse_url": self.clickhouse.url,
            "s3_bucket": self.bucket,
            "s3_endpoint_url": self.s3.url,
            "s3_access_key": ACCESS,
            "s3_secret_key": SECRET,
        }
        self.settings = Settings(**self.address)
        self.store = self.s3.store(self.bucket)
        client = self.clickhouse.address.client()
        client.command("drop database if exists tinko sync")
        schema.apply(client)
        client.close()

    def close(self):
        self.engine.dispose()

    def order(self, target, **death):
        return Order(self.worker, target, self.address, BATCH_ROWS, **death)

    def carry(self, target, point):
        """In this process. Raises AnalyticsUnavailable."""
        with opened(target, self.settings) as there:
            for _ in each(self.engine, there, FixedClock(NOW), RELATIONS, BATCH_ROWS, point):
                pass

    def move(self, rng, rows):
        """About `rows` changes in transactions of one to three batches' size, deletions too."""
        while rows > 0:
            size = min(rows, rng.choice([1, 2, 7, 30, 3 * BATCH_ROWS]))
            rows -= size
            debts = [{"id": new_id(NOW), "minor": rng.randint(1, 9999)} for _ in range(size)]
            shared = {"org": self.org, "now": NOW}
            with self.engine.begin() as connection:
                connection.execute(_DEBT, [one | shared for one in debts])
                tries = [
                    {"id": new_id(NOW), "debt": one["id"], "minor": one["minor"]} for one in debts
                ]
                connection.execute(_TRY, [one | shared for one in tries])
            with self.engine.begin() as connection:
                for statement in (
                    "update obligations set paid_minor = paid_minor + 1 where id in"
                    " (select id from obligations where org_id = :org order by random() limit 5)",
                    "update attempts set state = 'succeeded' where state = 'failed' and id in"
                    " (select id from attempts where org_id = :org order by random() limit 3)",
                    "delete from attempts where id in"
                    " (select id from attempts where org_id = :org order by random() limit 2)",
                ):
                    connection.execute(text(statement), {"org": self.org})

    def ledger(self, relation):
        with self.engine.begin() as connection:
            found = connection.execute(
                text(
                    f"select id::text, state, {_MINOR[relation.name]}, row_version"
                    f" from {relation.name}"
                )
            )
            return Counter(tuple(row) for row in found)

    def copy(self, target, relation):
        """The rows of now, and how many versions of rows were written twice."""
        return getattr(self, f"_in_{target}")(relation)

    def _in_clickhouse(self, relation):
        client = self.clickhouse.address.client()
        try:
            minor = _MINOR[relation.name]
            now = client.query(
                f"select toString(id), state, {minor}, row_version from tinko.{relation.name} final"
            ).result_rows
            ((twice,),) = client.query(
                "select count() - uniqExact(id, row_version, is_deleted)"
                f" from tinko.{relation.name}"
            ).result_rows
        finally:
            client.close()
        return Counter(map(tuple, now)), twice

    def _in_s3(self, relation):
        versions = lake_of(self.store, relation)
        if not len(versions):
            return Counter(), 0
        minor = _MINOR[relation.name]
        now = duckdb.sql(
            f"select id, state, {minor}, row_version from ({lake.newest(relation, 'versions')})"
        ).fetchall()
        keyed = "select count(*) - count(distinct (id, row_version, is_deleted)) from versions"
        return Counter(now), duckdb.sql(keyed).fetchall()[0][0]

    def judge(self, target):
        """What is wrong with a target, in words."""
        for relation in RELATIONS:
            wanted = self.ledger(relation)
            found, twice = self.copy(target, relation)
            if lost := (wanted - found).total():
                yield f"lost: {lost} rows of {relation.name} in {target}"
            if doubled := (found - wanted).total():
                yield f"doubled: {doubled} rows of {relation.name} in {target}"
            if twice:
                yield f"doubled: {twice} versions of {relation.name} in {target}"


def lake_of(store, relation):
    """Every row of a relation's objects."""
    tables = [
        pq.read_table(pa.BufferReader(store.get(key)), partitioning=None)
        for key in store.sizes(f"{lake.folder(relation)}/")
        if key.endswith(".parquet")
    ]
    return pa.concat_tables(tables) if tables else lake.schema(relation).empty_table()


def kill_everywhere(stage, seed, deaths, rows, tally):
    """Every label once for each target, with `rows` changes before each."""
    rng = random.Random(f"sink {seed}")
    for death in deaths:
        stage.move(rng, rows)
        tally.rows += rows
        for target in TARGETS:
            # at one of the first batches, or within it
            order = stage.order(
                target, die_at=death, nth=rng.randint(1, 2), within=rng.uniform(0, 0.02)
            )
            if stage.work(order) == SIGKILLED:
                tally.kills[death] += 1
            else:
                tally.wrong.append(f"nothing died at {death} of {target} (seed {seed})")
            if code := stage.work(stage.order(target)):
                tally.wrong.append(f"{target} did not go on after {death}: {code} (seed {seed})")
            found = stage.judge(target)
            tally.wrong += [f"{one} ({death}, seed {seed})" for one in found]


def take_away(stage, seed, rows, tally):
    """Each target goes in the middle of a run; the other is carried, and it catches up."""
    rng = random.Random(f"away {seed}")
    servers = {"clickhouse": stage.clickhouse, "s3": stage.s3}
    for gone, other in (TARGETS, TARGETS[::-1]):
        stage.move(rng, rows)
        tally.rows += rows
        sent = Counter()

        def point(label, sent=sent, server=servers[gone]):
            sent[label] += 1
            if label == "sending" and sent[label] == 2:
                server.kill()

        try:
            stage.carry(gone, point)
            tally.wrong.append(f"{gone} was away and nobody said so (seed {seed})")
        except AnalyticsUnavailable:
            tally.outages += 1
        stage.move(rng, rows)
        stage.carry(other, lambda label: None)
        found = list(stage.judge(other))
        servers[gone].start()
        stage.carry(gone, lambda label: None)
        found += stage.judge(gone)
        tally.wrong += [f"{one} ({gone} away, seed {seed})" for one in found]


def carry_again(stage, seed, tally):
    """Everything once more from the first row on: no row doubles."""
    for target in TARGETS:
        rewind(stage.engine, target, RELATIONS)
        stage.carry(target, lambda label: None)
        for relation in RELATIONS:
            found, _ = stage.copy(target, relation)
            if found != stage.ledger(relation):
                tally.wrong.append(f"{relation.name} differs in {target} again (seed {seed})")
