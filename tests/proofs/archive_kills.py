"""kill -9 of archival at each labelled point, with a closed month of its own for each.

After the kill every row must still be somewhere it can be had from: in the ledger, in a table that
stands apart, or in a verified archive. A fresh process then goes on; in the end the bucket holds
every row once, and brought back the month is what it was, byte for byte.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import text

from tests.conftest import Database
from tests.integration.archival.stage import RELATIONS, RETENTION, TENANTS, contents
from tests.proofs.archive_worker import Order
from tests.s3 import ACCESS, SECRET
from tinko_pipelines.core.archival import records
from tinko_pipelines.core.archival.checksums import in_arrow
from tinko_pipelines.core.archival.model import ArchiveState, Target
from tinko_pipelines.core.archival.points import RESTORE
from tinko_pipelines.core.archival.verify import load_manifest, read_parts
from tinko_pipelines.core.db import partitions
from tinko_pipelines.demo.closed_month import closed_month, seed_closed_month

NOW = datetime(2026, 9, 7, 6, tzinfo=UTC)


@dataclass
class Tally:
    kills: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)
    rows: int = 0


class Scene:
    """One label and one month of all three tables."""

    def __init__(self, database, server, store, workers, label, month, debts, rng, relations):
        self.database, self.server, self.store, self.workers = database, server, store, workers
        self.label, self.rng = label, rng
        seed_closed_month(
            database.owner, database.worker, TENANTS, NOW, RETENTION, debts, month=month
        )
        self.targets = [Target(name, month) for name in relations]
        self.before = {one: contents(database, one) for one in self.targets}
        self.rows = sum(len(one) for one in self.before.values())

    def order(self, what, targets=None, **death):
        return Order(
            what, self.database.url("tinko_owner"), self.database.url("tinko_worker"),
            {"s3_bucket": self.store.bucket, "s3_endpoint_url": self.server.url,
             "s3_access_key": ACCESS, "s3_secret_key": SECRET},
            NOW.isoformat(), RETENTION,
            [(one.relation, str(one.month)) for one in targets or self.targets],
            **death,
        )  # fmt: skip

    def kill(self):
        """Whether a process died at the label."""
        if self.label in RESTORE:
            self.finish()
            last = len(self.targets)
            nth = last if self.label == "restored" else self.rng.randint(1, last)
            label, _ = self.workers.work(self.order("restore", die_at=self.label, nth=nth))
            return label == self.label
        if self.label == "detach_pending":
            # a reader from before the detach keeps it waiting past its lock timeout
            with self.database.worker.connect() as reader:
                for one in RELATIONS:
                    reader.execute(text(f"select 1 from {one} limit 1"))
                label, _ = self.workers.work(self.order("run", die_at=self.label))
            return label == self.label
        # the three tables pass it one after the other; the lock is taken once
        nth = 1 if self.label == "locked" else self.rng.randint(1, len(self.targets))
        label, _ = self.workers.work(self.order("run", die_at=self.label, nth=nth))
        return label == self.label

    def lost(self):
        """Rows that can be had from nowhere, in words."""
        with self.database.owner.connect() as connection:
            known = records.read(connection)
        for one in self.targets:
            with self.database.owner.connect() as connection:
                stands = partitions.exists(connection, one.partition)
                count = (
                    connection.scalar(text(f"select count(*) from {one.partition}"))
                    if stands
                    else 0
                )
            if stands and count != len(self.before[one]):
                yield f"lost: {one} has {count} of {len(self.before[one])} rows"
            if not stands and (one not in known or known[one].state is not ArchiveState.DROPPED):
                yield f"lost: {one} is gone and not known as dropped"

    def finish(self):
        """Fresh processes until everything is dropped."""
        for _ in range(4):
            _, done = self.workers.work(self.order("run"))
            with self.database.owner.connect() as connection:
                known = records.read(connection)
            if all(
                one in known and known[one].state is ArchiveState.DROPPED for one in self.targets
            ):
                return
        raise RuntimeError(f"{self.label}: not dropped after four runs: {done}")

    def judge(self):
        """What is wrong at the end, in words: the bucket first, then the month brought back."""
        with self.database.owner.connect() as connection:
            known = records.read(connection)
        for one in self.targets:
            found = load_manifest(self.store, known[one])
            ids = Counter(
                value
                for batch in read_parts(self.store, one, found.parts)
                for value in batch.column("id").to_pylist()
            )
            if missing := set(self.before[one]) - set(ids):
                yield f"lost: {len(missing)} rows of {one} are not in the bucket"
            if doubled := [value for value, times in ids.items() if times > 1]:
                yield f"doubled: {len(doubled)} rows of {one}"
            again = in_arrow(read_parts(self.store, one, found.parts), found.columns)
            if again != found.checksums:
                yield f"lost: {one} has other checksums than its manifest"
        # those that were back before the kill stay
        left = [one for one in self.targets if known[one].state is ArchiveState.DROPPED]
        self.workers.work(self.order("restore", left))
        yield from self.compare()

    def compare(self):
        """Months that did not come back as they were."""
        for one in self.targets:
            if contents(self.database, one) != self.before[one]:
                yield f"lost: {one} came back as something else"


def kill_everywhere(
    postgres, template, server, workers, seed, labels, debts, tally, relations=RELATIONS
):
    """One seed: a fresh database and bucket, and every label once."""
    rng = random.Random(f"archive {seed}")
    name = f"archive_kills_{seed}"
    postgres.create_database(name, template)
    database, store = Database(postgres, name), server.store()
    try:
        for number, label in enumerate(labels):
            month = closed_month(NOW, RETENTION).plus(-number)
            scene = Scene(database, server, store, workers, label, month, debts, rng, relations)
            tally.rows += scene.rows
            if scene.kill():
                tally.kills[label] += 1
            else:
                tally.wrong.append(f"nothing died at {label} (seed {seed})")
            found = list(scene.lost())
            if label not in RESTORE:
                scene.finish()
            # where it died behind the restore's commit, all that is left is to compare
            found += list(scene.judge() if label != "restored" else scene.compare())
            tally.wrong += [f"{one} ({label}, seed {seed})" for one in found]
    finally:
        database.dispose()
        postgres.drop_database(name)
