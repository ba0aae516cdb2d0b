"""What archival takes of memory: months of wide events and of many organisations, out and back.

`python -m tests.proofs.archive_memory` is the process that is measured: an order in, and the most
memory it ever had, in MiB, out, after the month has left and after it has come back.
"""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

from sqlalchemy import text

from tests.proofs.archive_worker import Order, perform
from tests.s3 import ACCESS, SECRET
from tinko_pipelines.core.archival.model import Target
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.partitions import Month
from tinko_pipelines.local.layout import ROOT

MONTH = Month(2025, 1)
TARGET = Target("inbox_events", MONTH)
NOW = "2026-09-07T06:00:00+00:00"
RETENTION = 365
# bodies of :wide bytes, half of them text that compresses little, and in a hundred rows one of
# twenty times that
_ROWS = """
    insert into {table} (
        id, org_id, connection_id, psp, source, event_id, event_type, psp_created_at, received_at,
        body_sha256, body, object_ids, processed_at, outcome, tries
    )
    select
        ('01942' || lpad(to_hex(n / 16), 7, '0') || '7' || substr(h, 1, 3) || '8'
            || substr(h, 4, 15))::uuid,
        ('00000000-0000-7000-8000-00000000' || lpad(to_hex(n % :orgs), 4, '0'))::uuid,
        ('00000000-0000-7000-9000-00000000' || lpad(to_hex(n % :orgs), 4, '0'))::uuid,
        'stripe', 'webhook', 'evt_' || h, 'charge.failed', t, t, decode(h || h, 'hex'),
        convert_to(
            left(
                (select string_agg(md5(n::text || i), '') from generate_series(1, wide / 64) as i)
                || repeat('{{"object": "charge"}}', wide),
                wide
            ),
            'UTF8'
        ),
        array['ch_' || substr(h, 1, 24), 'pi_' || substr(h, 2, 24)], t, 'applied', 1
    from
        generate_series(cast(:first as int), cast(:last as int)) as n,
        lateral (
            select timestamptz '2025-01-02' + n * interval '1 second' as t, md5(n::text) as h,
                case when n % 100 = 0 then 20 else 1 end * cast(:wide as int) as wide
        ) as x
"""


def fill(owner, rows, orgs, wide):
    """A month of so many events; written before it is attached."""
    with unit_of_work(owner) as connection:
        partitions.make(connection, TARGET.relation, MONTH)
    step = max(1, 50_000_000 // wide)
    for first in range(1, rows + 1, step):
        values = {"first": first, "last": min(first + step - 1, rows), "orgs": orgs, "wide": wide}
        with unit_of_work(owner) as connection:
            connection.execute(text(_ROWS.format(table=TARGET.partition)), values)
    with unit_of_work(owner) as connection:
        partitions.attach(connection, TARGET.relation, MONTH)
        return connection.scalar(text(f"select sum(length(body)) from {TARGET.partition}"))


def peaks(database, server, store):
    """MiB after the month has left, and after it has come back; raises where it did not."""
    order = Order(
        "run", database.url("tinko_owner"), database.url("tinko_worker"),
        {"s3_bucket": store.bucket, "s3_endpoint_url": server.url, "s3_access_key": ACCESS,
         "s3_secret_key": SECRET},
        NOW, RETENTION, [(TARGET.relation, str(MONTH))],
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.proofs.archive_memory"], cwd=ROOT, text=True,
        input=json.dumps(dataclasses.asdict(order)), capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def most_resident():
    """The most memory that this program has had, in KiB. Linux's ru_maxrss holds that of the
    process it was forked from as well."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


def main():
    order, most = Order(**json.load(sys.stdin)), []
    for what, expected in (("run", "dropped"), ("restore", None)):
        (said,) = perform(dataclasses.replace(order, what=what), None)
        if expected is not None and said[1] != expected:
            raise RuntimeError(said)
        most.append(round(most_resident() / 1024))
    sys.stdout.write(json.dumps({"out": most[0], "back": most[1], "rows": said}))


if __name__ == "__main__":
    main()
