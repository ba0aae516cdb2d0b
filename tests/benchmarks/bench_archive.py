"""`archive`: five million attempts out of Postgres into Parquet in S3, against the bare COPY.

Ours is core/archival's export: COPY, Arrow, Parquet with zstd by organisation, upload to SeaweedFS.
The ceiling is `COPY … (FORMAT binary)` read through a client and thrown away. Peers write the same
rows to one local Parquet file with zstd: ADBC with pyarrow, and DuckDB's Postgres scanner where its
extension can be had. Verification (read back, Postgres's checksums) is timed apart, and the peak
memory is that of a process of its own which exports and verifies.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
from sqlalchemy import text

from tests.benchmarks.harness import Benchmark, Further, register, timed
from tests.proofs.due_world import postgres_of
from tests.s3 import S3Server
from tinko_pipelines.core.archival import checksums, export, verify
from tinko_pipelines.core.archival.columns import read_columns
from tinko_pipelines.core.archival.model import Target
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import libpq_url, make_engine, unit_of_work
from tinko_pipelines.core.db.partitions import Month
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.local.layout import ROOT

ATTEMPTS, LEAST_OF_CEILING, LIMIT_MB, ROUNDS = 5_000_000, 0.7, 512, 5
MONTH = Month(2025, 1)
TARGET = Target("attempts", MONTH)
ORGS = 10
# two of five are ours, with the evidence that allowed them; two of three failed
_ROWS = """
    insert into {table} (
        id, org_id, connection_id, psp, obligation_id, case_id, actor, state, psp_payment_id,
        door_id, amount_minor, currency, method, network, country, instrument_key,
        payment_method_ref, idempotency_key, error, decision_id, guard_rows, evidence,
        scheduled_at, submitted_at, submitted_wall, occurred_at, finished_at, classified_at,
        created_at, updated_at, row_version
    )
    select
        ('01942' || lpad(to_hex(n / 16), 7, '0') || '7' || substr(h, 1, 3) || '8'
            || substr(h, 4, 15))::uuid,
        ('00000000-0000-7000-8000-0000000000' || lpad(to_hex(n % :orgs), 2, '0'))::uuid,
        ('00000000-0000-7000-9000-0000000000' || lpad(to_hex(n % :orgs), 2, '0'))::uuid,
        'stripe', md5('debt' || n / 2)::uuid, case when ours then md5('case' || n / 2)::uuid end,
        case when ours then 'tinko' else 'merchant' end,
        case when n % 3 = 0 then 'succeeded' else 'failed' end,
        'ch_' || substr(h, 1, 24), 'in_' || substr(md5('in' || n / 2), 1, 24), 100 + n % 9000,
        (array['USD', 'INR', 'EUR', 'JPY'])[1 + n % 4], 'card',
        (array['visa', 'mastercard', 'amex'])[1 + n % 3], (array['US', 'IN', 'DE'])[1 + n % 3],
        'fp_' || substr(md5('card' || n % 500000), 1, 16), 'pm_' || substr(md5('pm' || n), 1, 24),
        case when ours then 'tinko-' || substr(h, 1, 20) end,
        case when n % 3 > 0 then jsonb_build_object(
            'code', 'card_declined', 'reason', 'insufficient_funds', 'message',
            'Your card has insufficient funds.', 'network_decline_code', '51'
        ) end,
        case when ours then md5('decision' || n)::uuid end,
        case when ours then '["visa.20in30", "own.cap"]'::jsonb end,
        case when ours then jsonb_build_object(
            'at', t, 'facts', jsonb_build_object(
                'psp', 'stripe', 'method', 'card', 'network', 'visa', 'country', 'US',
                'instrument_key', substr(md5('card' || n % 500000), 1, 16), 'counted',
                jsonb_build_array(jsonb_build_object(
                    'at', t - interval '3 days', 'amount', 100 + n % 9000, 'currency', 'USD',
                    'initiator', 'merchant'
                ))
            ), 'verdict', jsonb_build_object('allowed', true, 'rows', jsonb_build_array('own.cap'))
        ) end,
        case when ours then t end, case when ours then t end, case when ours then t end,
        t, t + interval '2 seconds', case when n % 3 > 0 then t + interval '1 minute' end, t,
        t + interval '1 minute', 1000 + n / 100
    from
        generate_series(cast(:first as int), cast(:last as int)) as n,
        lateral (
            select timestamptz '2025-01-02' + n * interval '437 milliseconds' / 1 as t,
                md5(n::text) as h, n % 5 < 2 as ours
        ) as x
"""
_PEAK = """
import json, sys, tempfile
from tests.benchmarks.bench_archive import Archiver
from tests.proofs.archive_memory import most_resident
with tempfile.TemporaryDirectory() as folder:
    archiver = Archiver(**json.load(sys.stdin), folder=folder)
    archiver.store.clear("archive/")
    archiver.export()
    after_export = most_resident()
    archiver.verify()
print(json.dumps([after_export, most_resident()]))
"""


def fill(owner, rows):
    """A partition of so many attempts. Written before it is attached: no trigger sees them."""
    with unit_of_work(owner) as connection:
        partitions.make(connection, "attempts", MONTH)
    step = 250_000
    for first in range(1, rows + 1, step):
        values = {"first": first, "last": min(first + step - 1, rows), "orgs": ORGS}
        with unit_of_work(owner) as connection:
            connection.execute(text(_ROWS.format(table=TARGET.partition)), values)
    with unit_of_work(owner) as connection:
        partitions.attach(connection, "attempts", MONTH)
    with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"vacuum analyze {TARGET.partition}"))


class Archiver:
    """Export and verification as archival does them; made once, as a run makes it once."""

    def __init__(self, url, s3, folder):
        self.url, self.folder = url, Path(folder)
        self.store = ArchiveStore.from_settings(Settings(**s3))
        self.owner = make_engine(url, pooled=False)
        with unit_of_work(self.owner) as connection:
            self.columns = read_columns(connection, TARGET.partition)
        self.parts = []

    def export(self):
        """Over what the last one stored: the same keys."""
        self.parts = export.export(
            libpq_url(self.url), TARGET, self.columns, self.store, self.folder
        )

    def verify(self):
        """Read back and compare; how long each side took, in seconds."""
        began = time.perf_counter()
        archive = verify.read_back(self.store, TARGET, self.parts, self.columns)
        read = time.perf_counter()
        with unit_of_work(self.owner) as connection:
            postgres = checksums.in_postgres(connection, TARGET.partition, self.columns)
        verify.require_equal(TARGET, postgres, archive)
        return read - began, time.perf_counter() - read


def copy_away(url):
    """The ceiling."""
    statement = f"copy {TARGET.partition} to stdout (format binary)"
    with (
        psycopg.connect(libpq_url(url)) as connection,
        connection.cursor() as cursor,
        cursor.copy(statement) as copy,
    ):
        for _ in copy:
            pass


def adbc_to_parquet(url, path):
    """The plain way with ADBC and pyarrow: a batch read, a batch written."""
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(libpq_url(url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"select * from {TARGET.partition}")
        reader = cursor.fetch_record_batch()
        with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)


def duckdb_scanner(url, path):
    """A contender, or why there is none: the extension is not in the wheel."""
    import duckdb

    database = duckdb.connect()
    try:
        database.execute("load postgres")
    except duckdb.Error as error:
        return None, f"its Postgres extension is not installed: {str(error).splitlines()[0]}"
    database.execute("set threads = 2")
    database.execute(f"attach '{libpq_url(url)}' as pg (type postgres, read_only)")
    statement = (
        f"copy (select * from pg.public.{TARGET.partition}) to '{path}'"
        " (format parquet, compression zstd)"
    )
    return (lambda: database.execute(statement)), None


@register("archive")
def archive(scale: float):
    """Rows a second."""
    rows = max(20_000, int(ATTEMPTS * scale))
    with (
        postgres_of(days=(0,)) as server,
        tempfile.TemporaryDirectory() as scratch,
        S3Server(Path(scratch)) as s3,
    ):
        url = server.url("tinko_owner")
        owner = make_engine(url, pooled=False)
        fill(owner, rows)
        store = s3.settings("archive-bench")
        s3.store("archive-bench")
        address = {
            "s3_bucket": store.s3_bucket,
            "s3_endpoint_url": store.s3_endpoint_url,
            "s3_access_key": store.s3_access_key.get_secret_value(),
            "s3_secret_key": store.s3_secret_key.get_secret_value(),
        }
        folder, file = Path(scratch) / "parts", Path(scratch) / "peer.parquet"
        folder.mkdir()
        archiver = Archiver(url, address, folder)
        peers = {"adbc_pyarrow": timed(lambda: adbc_to_parquet(url, file), rows)}
        scanner, unavailable = duckdb_scanner(url, file)
        if scanner is not None:
            peers["duckdb_postgres_scanner"] = timed(scanner, rows)

        def further():
            read_back, in_postgres = archiver.verify()
            order = json.dumps({"url": url, "s3": address})
            said = subprocess.run(
                [sys.executable, "-c", _PEAK], input=order, cwd=ROOT, capture_output=True,
                text=True, check=True,
            ).stdout  # fmt: skip
            exported, verified = (round(one / 1024) for one in json.loads(said))
            numbers = {
                "rows": rows,
                "files": len(archiver.parts),
                "parquet_mb": round(sum(one.bytes for one in archiver.parts) / 1e6, 1),
                "verify_read_back_rows_per_s": round(rows / read_back),
                "verify_in_postgres_rows_per_s": round(rows / in_postgres),
                "peak_mb_export": exported,
                "peak_mb_verified": verified,
                "memory_limit_mb": LIMIT_MB,
            }
            if unavailable:
                numbers["duckdb_postgres_scanner"] = f"unavailable: {unavailable}"
            return Further(numbers, {"memory_within_limit": verified <= LIMIT_MB})

        yield Benchmark(
            unit="rows/s",
            ours=timed(archiver.export, rows),
            ceiling=timed(lambda: copy_away(url), rows),
            peers=peers,
            ratio_to_ceiling=LEAST_OF_CEILING,
            further=further,
            rounds=ROUNDS,
        )
