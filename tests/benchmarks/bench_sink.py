"""`sink`: a million attempts from Postgres to ClickHouse, against inserting the same Arrow data.

Ours reads the ledger, names each batch, inserts it and moves the watermark after each. The ceiling
inserts the very tables that ours made of the ledger, from memory: it reads nothing. Ours can come
near only by reading the next batch while ClickHouse takes the last one, so that where both cores
are busy with other things the ratio falls to what reading costs; the seconds of CPU that each took,
of both servers and this process, are printed beside it. Peers: the same pages read and inserted in
turn, and rows as Python has them over `clickhouse-connect`'s row-wise insert.
"""

import statistics
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
from sqlalchemy import text

from tests.benchmarks.bench_archive import fill
from tests.benchmarks.bench_marts import server as clickhouse_server
from tests.benchmarks.harness import Benchmark, Further, register, timed
from tests.proofs.due_world import postgres_of
from tinko_pipelines.core.analytics import schema, sink, watermark
from tinko_pipelines.core.analytics.changes import Ledger
from tinko_pipelines.core.analytics.relations import ATTEMPTS
from tinko_pipelines.core.analytics.targets import ClickHouse
from tinko_pipelines.core.clock import WallClock
from tinko_pipelines.core.db.engine import make_engine, unit_of_work
from tinko_pipelines.core.db.queries import query

ROWS, LEAST_OF_CEILING, ROUNDS = 1_000_000, 0.8, 5
# one block of clickhouse-connect
PEER_BATCH = 16_384
TABLE = f"tinko.{ATTEMPTS.name}"


class Sink:
    """The engines, and each way from one to the other; every way begins with an empty table."""

    def __init__(self, postgres, client, process):
        self.engine = make_engine(postgres.url("tinko_worker"), pool_size=2)
        self.client, self.process = client, process
        self.target = ClickHouse(client)
        self.tables = []
        self.cpu = {"ours": [], "ceiling": []}

    def prepare(self):
        """Read the tables that the ceiling inserts; how many rows they have."""
        self.tables = list(self._pages())
        return sum(map(len, self.tables))

    def _pages(self):
        _, high = watermark.window(self.engine, self.target.name, ATTEMPTS)
        with Ledger.of(self.engine) as ledger:
            for page in ledger.pages(ATTEMPTS, 0, high, sink.BATCH_ROWS):
                if len(page.rows):
                    yield page.rows

    def empty(self):
        self.client.command(f"truncate table {TABLE}")
        watermark.rewind(self.engine, self.target.name, [ATTEMPTS])

    def count(self, final=""):
        return self.client.query(f"select count() from {TABLE} {final}").result_rows[0][0]

    def ours(self):
        sink.carry(self.engine, self.target, ATTEMPTS, WallClock())

    def replayed(self):
        """How many rows were added by carrying everything again."""
        before = self.count()
        watermark.rewind(self.engine, self.target.name, [ATTEMPTS])
        self.ours()
        return self.count() - before

    def ceiling(self):
        for table in self.tables:
            self.client.insert_arrow(ATTEMPTS.name, table, database="tinko")

    def in_turn(self):
        for table in self._pages():
            self.client.insert_arrow(ATTEMPTS.name, table, database="tinko")

    def row_wise(self):
        """Rows of the ledger as they are, a page at a time, over clickhouse-connect's insert."""
        for rows in self._fetched():
            self.client.insert(
                ATTEMPTS.name, rows, column_names=ATTEMPTS.schema.names, database="tinko"
            )

    def _fetched(self):
        _, high = watermark.window(self.engine, self.target.name, ATTEMPTS)
        after = {"after_version": 0, "after_key": "00000000-0000-0000-0000-000000000000"}
        while True:
            with unit_of_work(self.engine) as connection:
                found = connection.execute(
                    query("analytics", ATTEMPTS.query),
                    {"low": 0, "high": high, "size": PEER_BATCH} | after,
                ).fetchall()
            if not found:
                return
            yield [tuple(row) for row in found]
            after = {"after_version": found[-1].row_version, "after_key": found[-1].id}

    def timed(self, name, work, rows):
        """The contender on an empty table, whose emptying is not counted."""
        rate = timed(work, rows)

        def run():
            self.empty()
            before = self._cpu()
            found = rate()
            if name in self.cpu:
                self.cpu[name].append(self._cpu() - before)
            if self.count() != rows:
                raise RuntimeError(f"{name} inserted {self.count()} of {rows} rows")
            return found

        return run

    def _cpu(self):
        """Seconds of CPU that this process and both servers have had."""
        with self.engine.connect() as connection:
            backend = psutil.Process(connection.scalar(text("select pg_backend_pid()")))
        ours = psutil.Process().cpu_times()
        return ours.user + ours.system + cpu_of(backend.parent()) + cpu_of(self.process)


def use_up_transactions(owner, rows):
    """Until the versions that `fill` wrote, a hundred rows each, are those of the past."""
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            f"do $$ begin for n in 1..{1000 + rows // 100} loop"
            " perform pg_current_xact_id(); commit; end loop; end $$"
        )


def cpu_of(server):
    """Seconds of CPU of a process and all it started, those that ended too."""
    seconds = 0.0
    for one in server.children(recursive=True):
        # one that ends meanwhile is its parent's from then on
        with suppress(psutil.NoSuchProcess):
            seconds += sum(one.cpu_times()[:2])
    return seconds + sum(server.cpu_times()[:4])


@register("sink")
def bench_sink(scale: float):
    """Rows a second."""
    with (
        postgres_of(days=(0,)) as postgres,
        tempfile.TemporaryDirectory() as folder,
        clickhouse_server(Path(folder)) as (address, process),
    ):
        owner = make_engine(postgres.url("tinko_owner"), pooled=False)
        wanted = max(20_000, int(ROWS * scale))
        fill(owner, wanted)
        use_up_transactions(owner, wanted)
        client = address.client()
        schema.apply(client)
        ways = Sink(postgres, client, process)
        rows = ways.prepare()
        if rows != wanted:
            raise RuntimeError(f"{rows} of {wanted} rows can be carried")

        def further():
            ways.empty()
            ways.ours()
            added = ways.replayed()
            cpu = {name: statistics.median(values) for name, values in ways.cpu.items()}
            return Further(
                {
                    "rows": rows,
                    "batch_rows": sink.BATCH_ROWS,
                    "arrow_mb": round(sum(one.nbytes for one in ways.tables) / 1e6, 1),
                    "cpu_s_ours": round(cpu["ours"], 2),
                    "cpu_s_ceiling": round(cpu["ceiling"], 2),
                    "rows_a_replay_added": added,
                    "rows_final": ways.count("final"),
                },
                {"replay_adds_nothing": added == 0 and ways.count("final") == rows},
            )

        yield Benchmark(
            unit="rows/s",
            ours=ways.timed("ours", ways.ours, rows),
            ceiling=ways.timed("ceiling", ways.ceiling, rows),
            peers={
                "read_and_insert_in_turn": ways.timed("in_turn", ways.in_turn, rows),
                "clickhouse_connect_row_wise": ways.timed("row_wise", ways.row_wise, rows),
            },
            ratio_to_ceiling=LEAST_OF_CEILING,
            further=further,
            rounds=ROUNDS,
        )
