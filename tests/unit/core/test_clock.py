from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.core.clock import ClockRow, DatabaseClock
from tinko_pipelines.core.db.engine import libpq_url
from tinko_pipelines.core.ids import id_floor, id_time, new_id

START = datetime(2026, 9, 7, tzinfo=UTC)
INSTANTS = st.integers(946_684_800, 4_102_444_800).map(lambda at: datetime.fromtimestamp(at, UTC))


@given(INSTANTS, INSTANTS, st.floats(0, 10_000), st.booleans(), st.integers(0, 10**8))
def test_business_time_never_passes_the_wall_nor_goes_back(epoch, anchor, rate, frozen, later):
    row = ClockRow(epoch, anchor, rate, frozen)
    wall = anchor + timedelta(seconds=later)
    assert row.at(wall) <= wall
    assert row.at(wall) <= row.at(wall + timedelta(seconds=1))


def test_once_it_has_met_the_wall_it_runs_at_its_rate():
    row = ClockRow(START, START + timedelta(days=30), 60.0, False)
    meets = row.anchor + timedelta(days=30) / 59
    assert row.rate_at(meets - timedelta(minutes=1)) == 60
    assert row.rate_at(meets + timedelta(minutes=1)) == 1
    assert row.at(meets + timedelta(days=1)) == meets + timedelta(days=1)


def test_every_process_reads_the_one_row(database):
    mine = DatabaseClock(libpq_url(database.url("tinko_worker")))
    theirs = DatabaseClock(libpq_url(database.url("tinko_app")), max_age=0)
    assert abs(mine.now() - datetime.now(UTC)) < timedelta(minutes=1)
    assert mine.rate() == 1
    mine.freeze_at(START)
    assert theirs.now() == START
    # a frozen clock's step is seen at once, however long a row may be kept
    mine.freeze_at(START + timedelta(hours=1))
    theirs.max_age = 3600
    assert theirs.now() == START + timedelta(hours=1)
    mine.close()
    theirs.close()


def test_a_restarted_server_is_read_again(postgres, database):
    clock = DatabaseClock(libpq_url(database.url("tinko_worker")), max_age=0)
    clock.freeze_at(START)
    with database.worker.connect() as connection:
        connection.exec_driver_sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    assert clock.now() == START
    clock.close()


@given(INSTANTS)
def test_ids_carry_their_business_time(at):
    made = new_id(at)
    assert made.version == 7
    assert abs(id_time(made) - at) < timedelta(milliseconds=1)
    assert id_floor(at) <= made < id_floor(at + timedelta(milliseconds=2))


def test_ids_of_one_process_ascend():
    ids = [new_id(START) for _ in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000
