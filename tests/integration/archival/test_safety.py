"""No drop without a verified archive: corrupted, changed, open, unreachable, or two at once."""

import pytest
from sqlalchemy import text

from tests.integration.archival.stage import NOW, archivist, contents, rows, seed
from tinko_pipelines.core.archival import decoding, records
from tinko_pipelines.core.archival.exclusive import exclusive
from tinko_pipelines.core.archival.manifest import manifest_key, prefix
from tinko_pipelines.core.archival.model import ArchiveBusy, ArchiveState, Hold
from tinko_pipelines.core.archival.plan import Action
from tinko_pipelines.core.archival.run import run
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.db import partitions
from tinko_pipelines.core.ids import new_id


@pytest.fixture
def store(s3):
    return s3.store()


@pytest.fixture
def target(database):
    return seed(database, debts=3)["attempts"]


def state(database, target):
    with database.worker.connect() as connection:
        found = records.read(connection).get(target)
    return None if found is None else found.state


def attempt_run(database, store, target, **more):
    (done,) = run(archivist(database, store, **more), {target})
    return done


def at(label, work):
    """A point that does `work` once, at `label`."""
    left = [work]

    def point(passed):
        if passed == label and left:
            left.pop()()

    return point


def flip(store, target):
    """One bit of one object, its size as it was."""
    key = sorted(store.sizes(prefix(target)))[0]
    body = bytearray(store.get(key))
    body[len(body) // 2] ^= 1
    store.put(key, bytes(body))


@pytest.mark.parametrize("label", ["uploaded", "verified"])
def test_a_corrupted_object_stops_the_drop(database, store, target, label):
    before = contents(database, target)
    if label == "uploaded":
        done = attempt_run(database, store, target, point=at(label, lambda: flip(store, target)))
    else:
        # another process verified it, and the bucket rots before the next run drops
        with pytest.raises(SystemExit):
            run(archivist(database, store, point=at(label, leave)), {target})
        flip(store, target)
        done = attempt_run(database, store, target)
    assert "not the bytes that were stored" in done.error
    assert contents(database, target) == before


def leave():
    raise SystemExit


def test_a_missing_object_or_manifest_stops_the_drop(database, store, target):
    before = contents(database, target)
    with pytest.raises(SystemExit):
        run(archivist(database, store, point=at("verified", leave)), {target})
    manifest, (key, *_) = store.get(manifest_key(target)), sorted(store.sizes(prefix(target)))
    store.put(manifest_key(target), manifest + b" ")
    assert "not the manifest that was verified" in attempt_run(database, store, target).error
    store.put(manifest_key(target), manifest)
    store.client.delete_object(Bucket=store.bucket, Key=key)
    assert "nothing bytes" in attempt_run(database, store, target).error
    assert contents(database, target) == before
    assert state(database, target) is ArchiveState.VERIFIED


def shift_time(batch):
    import pyarrow.compute as pc

    index = batch.schema.get_field_index("created_at")
    moved = pc.cast(
        pc.add(pc.cast(batch.column(index), "int64"), 1), batch.schema.field(index).type
    )
    return batch.set_column(index, batch.schema.field(index), moved)


def swap_rows(batch):
    index = batch.schema.get_field_index("psp_payment_id")
    turned = batch.column(index).take(list(range(len(batch)))[::-1])
    return batch.set_column(index, batch.schema.field(index), turned)


FAULTS = {
    "created_at": shift_time,
    "psp_payment_id": swap_rows,
    "18 rows against 17": lambda batch: batch.slice(1),
    "id: 18 values": lambda batch: batch.take([*range(1, len(batch)), 1]),  # one lost, one twice
}


def test_a_conversion_that_goes_wrong_is_caught(database, store, target, monkeypatch):
    before = contents(database, target)
    assert len(before) == 18
    honest = decoding.decode
    for named, fault in FAULTS.items():
        monkeypatch.setattr(decoding, "decode", lambda *given, fault=fault: fault(honest(*given)))
        done = attempt_run(database, store, target)
        assert "Postgres and the archive differ" in done.error
        assert named in done.error
        assert contents(database, target) == before
    monkeypatch.undo()
    # nothing of the broken tries is left in the way
    assert attempt_run(database, store, target).state is ArchiveState.DROPPED


@pytest.mark.parametrize("label", ["verified", "detaching"])
def test_what_is_written_after_the_export_is_not_lost(database, store, target, label):
    some = next(iter(contents(database, target)))

    def write():
        with database.worker.begin() as connection:
            connection.execute(
                text("update attempts set refunded_minor = 7 where id = :id"), {"id": some}
            )

    done = attempt_run(database, store, target, point=at(label, write))
    assert "refunded_minor" in done.error
    assert rows(database, "select refunded_minor from attempts where id = :id", id=some) == [(7,)]
    assert state(database, target) is ArchiveState.EXPORTING
    assert attempt_run(database, store, target).state is ArchiveState.DROPPED


def test_a_store_that_is_away_costs_nothing(database, s3, store, target):
    before = contents(database, target)
    wrong = s3.settings("no-such-bucket-here")
    done = attempt_run(database, ArchiveStore.from_settings(wrong), target)
    assert "ArchiveStoreError" in done.error

    def away():
        for key in store.sizes(""):
            store.client.delete_object(Bucket=store.bucket, Key=key)

    done = attempt_run(database, store, target, point=at("reading_back", away))
    assert done.error
    assert contents(database, target) == before


def test_never_two_at_once(database, store, target):
    with exclusive(database.owner), pytest.raises(ArchiveBusy):
        run(archivist(database, store), {target})
    assert attempt_run(database, store, target).state is ArchiveState.DROPPED


def test_a_lost_session_loses_the_lock(database, store, target):
    with exclusive(database.owner) as lock:
        pid = lock.connection.connection.driver_connection.info.backend_pid
        with database.owner.begin() as connection:
            connection.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(ArchiveBusy):
            lock.require()


def test_a_reader_from_before_leaves_the_detach_pending_and_the_next_run_ends_it(
    database, store, target
):
    with database.worker.connect() as reader:
        reader.execute(text("select 1 from attempts limit 1"))
        assert "StillRead" in attempt_run(database, store, target).error
    assert attempt_run(database, store, target).state is ArchiveState.DROPPED


def test_a_month_that_stands_apart_without_a_manifest_comes_back(database, store, target):
    before = contents(database, target)
    partitions.detach(database.owner, "attempts", target.month)
    assert contents(database, target) == {}
    work = archivist(database, store)
    run(work, set())
    assert contents(database, target) == before


HOLDS = {
    Hold.OPEN_DEBT: "update obligations set state = 'open' where id = :debt",
    Hold.OPEN_CASE: "update cases set state = 'disputed' where obligation_id = :debt",
    Hold.LOCKED: "insert into charge_locks (obligation_id, org_id, purpose, token,"
    " lease_until_wall) values (:debt, :org, 'charge', :org, :now)",
    Hold.OPEN_FINDING: "insert into findings (id, org_id, obligation_id, kind, severity,"
    " dedupe_key, evidence, proposal, created_at, updated_at)"
    " values (:org, :org, :debt, 'dispute', 'warning', 'x', '{}', '{}', :now, :now)",
    Hold.UNRESOLVED: "update attempts set state = 'pending' where obligation_id = :debt",
    Hold.UNCLASSIFIED: "update attempts set state = 'failed', classified_at = null"
    " where obligation_id = :debt",
    Hold.DISPUTABLE: "insert into attempts (id, org_id, connection_id, psp, obligation_id, actor,"
    " state, amount_minor, currency, finished_at, created_at, updated_at) values (:later, :org,"
    " :org, 'stripe', :debt, 'payer', 'succeeded', 1, 'USD', :now, :now, :now)",
}


def test_what_is_open_holds_its_month(database, store, target):
    debts = rows(
        database,
        "select distinct obligation_id, org_id from attempts where id >= :low and id < :high",
        low=target.low,
        high=target.high,
    )
    for (debt, org), statement in zip(debts, HOLDS.values(), strict=False):
        values = {"debt": debt, "org": org, "now": NOW, "later": new_id(NOW)}
        wanted = {name: value for name, value in values.items() if f":{name}" in statement}
        with database.worker.begin() as connection:
            connection.execute(text(statement), wanted)
    work = archivist(database, store)
    (step,) = work.plan({target})
    assert step.action is Action.HOLD
    assert set(step.holds) == set(HOLDS)
    (done,) = run(work, {target})
    assert done.state is None
    assert store.sizes("archive/") == {}


def test_without_a_bucket_it_stays_or_goes_as_allowed(database, target):
    before = contents(database, target)
    assert attempt_run(database, None, target).state is None
    assert contents(database, target) == before
    done = attempt_run(database, None, target, may_discard=True)
    assert (done.state, done.rows) == (ArchiveState.DISCARDED, len(before))


def test_the_sink_carries_what_is_to_leave_first(database, store, target):
    (step,) = archivist(database, store, carrying=("clickhouse",)).plan({target})
    assert step.holds == {Hold.UNCARRIED: 18}
    with database.worker.begin() as connection:
        connection.execute(
            text(
                "insert into sink_watermarks (sink, relation, position, rows, updated_at)"
                " select 'clickhouse', 'attempts', max(row_version) + 1, 0, :now from attempts"
            ),
            {"now": NOW},
        )
    (step,) = archivist(database, store, carrying=("clickhouse",)).plan({target})
    assert step.action is Action.ARCHIVE
    # the lake has to have them too, where it is wanted
    (step,) = archivist(database, store, carrying=("clickhouse", "s3")).plan({target})
    assert step.holds == {Hold.UNCARRIED: 18}
