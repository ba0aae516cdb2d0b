"""The ledger on real Postgres: one debt, whatever order its news comes in."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.ledger.payments import key_of
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    DoorKind,
    DoorSeen,
    DoorStatus,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery.cases import open_cases
from tinko_pipelines.core.tenants.organisations import create_organisation

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)
DECLINED = ErrorInfo(psp="stripe", decline_code="insufficient_funds")


@pytest.fixture
def account(database):
    with unit_of_work(database.worker) as connection:
        org = create_organisation(connection, "acme", "Acme", NOW)
        connection_id = new_id(NOW)
        connection.execute(
            text(
                "insert into connections (id, org_id, psp, account_id, livemode, label,"
                " credentials, wrapped_key, created_at, updated_at) values"
                " (:id, :org, 'stripe', 'acct_1', false, '', '', '', :now, :now)"
            ),
            {"id": connection_id, "org": org.org_id, "now": NOW},
        )
    return Account(org.org_id, connection_id, "stripe", "acct_1")


def charge(name, status=PaymentStatus.FAILED, hours=0, **more):
    at = NOW + timedelta(hours=hours)
    error = DECLINED if status is PaymentStatus.FAILED else None
    return PaymentSeen(
        name, status, 1000, "USD", at, at, "card", "visa", "US", "fp_1", "pm_1", error=error, **more
    )


def told(*payments, refs=(), due=1000, **more):
    named = tuple(Ref(RefKind.PAYMENT, one.object_id) for one in payments)
    return Observation(refs=(*refs, *named), due=due, currency="USD", payments=payments, **more)


INVOICE, INTENT = Ref(RefKind.INVOICE, "in_1"), Ref(RefKind.PAYMENT_INTENT, "pi_1")


def say(database, account, *observations, now=NOW):
    with unit_of_work(database.worker) as connection:
        lock_refs(connection, account, observations)
        return [apply_observation(connection, account, one, now) for one in observations]


def rows(database, statement, **values):
    with unit_of_work(database.worker) as connection:
        return connection.execute(text(statement), values).all()


def work(database):
    clock = FixedClock(NOW)
    classify_failures(database.worker, clock)
    open_cases(database.worker, clock)


LIFE = [
    told(charge("ch_1"), refs=(INTENT,)),
    told(charge("ch_1"), refs=(INVOICE, INTENT)),
    told(charge("ch_2", PaymentStatus.PENDING, hours=24), refs=(INTENT,)),
    told(charge("ch_2", PaymentStatus.FAILED, hours=25), refs=(INTENT,)),
    told(charge("ch_3", PaymentStatus.SUCCEEDED, hours=48), refs=(INVOICE, INTENT)),
    told(refs=(INVOICE, INTENT), paid=1000),
]


def standing(database):
    return (
        rows(database, "select state, due_minor, paid_minor from obligations"
                       " where state <> 'superseded'"),
        rows(database, "select psp_payment_id, state, actor from attempts order by 1"),
        rows(database, "select state, recovered_by, recovered_minor from cases"
                       " where state <> 'cancelled'"),
        rows(database, "select category from failures order by attempt_id"),
    )  # fmt: skip


def test_one_debt_however_many_objects_speak_of_it(database, account):
    found = say(database, account, *LIFE)
    assert len(set(found)) == 1
    work(database)
    debts, attempts, cases, _ = standing(database)
    assert debts == [("paid", 1000, 1000)]
    assert [tuple(one)[:2] for one in attempts] == [
        ("ch_1", "failed"), ("ch_2", "failed"), ("ch_3", "succeeded"),
    ]  # fmt: skip
    assert cases == [("recovered", "merchant", 1000)]


@given(order=st.permutations(range(len(LIFE))), twice=st.sets(st.integers(0, len(LIFE) - 1)))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_and_any_repetition_end_the_same(database, account, order, twice):
    with unit_of_work(database.worker) as connection:
        for table in ("cases", "failures", "attempts", "doors", "psp_refs", "guard_counters",
                      "obligations"):  # fmt: skip
            connection.execute(text(f"delete from {table}"))
    for number in order:
        say(database, account, LIFE[number])
        work(database)
        if number in twice:
            say(database, account, LIFE[number])
    debts, attempts, cases, failures = standing(database)
    assert debts == [("paid", 1000, 1000)]
    assert [tuple(one) for one in attempts] == [
        ("ch_1", "failed", "merchant"),
        ("ch_2", "failed", "merchant"),
        ("ch_3", "succeeded", "merchant"),
    ]
    assert cases == [("recovered", "merchant", 1000)]
    assert failures == [("insufficient_funds",)] * 2


def test_a_late_discovery_merges_two_debts_and_keeps_one_case(database, account):
    say(database, account, told(charge("ch_1"), refs=(Ref(RefKind.PAYMENT_INTENT, "pi_1"),)))
    say(database, account, told(charge("ch_2"), refs=(INVOICE,)))
    work(database)
    assert len(rows(database, "select 1 from cases")) == 2
    (kept,) = say(database, account, told(refs=(INVOICE, INTENT)))
    assert {row.state for row in rows(database, "select state from obligations")} == {
        "open", "superseded",
    }  # fmt: skip
    by = rows(database, "select distinct obligation_id from attempts union"
                        " select obligation_id from psp_refs union"
                        " select obligation_id from failures")  # fmt: skip
    assert [row[0] for row in by] == [kept]
    active = rows(database, "select obligation_id from cases where state = 'open'")
    assert [row[0] for row in active] == [kept]


def test_a_merge_keeps_one_lock(database, account):
    first, second = (
        say(database, account, told(charge("ch_1"), refs=(INTENT,)))[0],
        say(database, account, told(charge("ch_2"), refs=(INVOICE,)))[0],
    )
    for obligation in (first, second):
        with unit_of_work(database.worker) as connection:
            connection.execute(
                query("charging", "lock_debt"),
                {
                    "obligation_id": obligation, "org_id": account.org_id, "purpose": "charge",
                    "attempt_id": None, "token": uuid.uuid4(), "lease_until": NOW, "wall": NOW,
                },
            )  # fmt: skip
    say(database, account, told(refs=(INVOICE, INTENT)))
    assert [row[0] for row in rows(database, "select obligation_id from charge_locks")] == [second]


def test_more_than_is_due_is_a_finding_with_a_proposed_refund(database, account):
    say(
        database,
        account,
        told(charge("ch_1", PaymentStatus.SUCCEEDED), refs=(INTENT,)),
        told(charge("ch_2", PaymentStatus.SUCCEEDED, hours=1), refs=(INTENT,)),
    )
    ((kind, proposal),) = rows(database, "select kind, proposal from findings")
    assert kind == "double_collected"
    assert proposal == {"refund": "ch_2", "amount_minor": 1000, "currency": "USD"}


def test_paid_cancels_what_was_scheduled_and_sql_refuses_more(database, account):
    (obligation,) = say(database, account, told(charge("ch_1"), refs=(INTENT,)))
    ours = schedule(database, account, obligation)
    say(database, account, told(charge("ch_2", PaymentStatus.SUCCEEDED, hours=1), refs=(INTENT,)))
    assert rows(database, "select state from attempts where id = :id", id=ours) == [("cancelled",)]
    with pytest.raises(DBAPIError, match="is not to be charged"):
        schedule(database, account, obligation)


def schedule(database, account, obligation):
    attempt = new_id(NOW)
    with unit_of_work(database.worker) as connection:
        connection.execute(
            query("recovery", "schedule"),
            {
                "id": attempt, "org_id": account.org_id, "connection_id": account.connection_id,
                "psp": "stripe", "obligation_id": obligation, "case_id": None, "door_id": "pi_1",
                "amount": 1000, "currency": "USD", "method": "card", "network": "visa",
                "country": "US", "instrument_key": "fp_1", "payment_method_ref": "pm_1",
                "decision_id": None, "guard_rows": "[]", "scheduled_at": NOW, "now": NOW,
            },
        )  # fmt: skip
    return attempt


def test_a_webhook_that_overtook_our_own_answer_is_recognised(database, account):
    """Its charge was taken for a stranger's; when our call's key names it, it is ours."""
    (obligation,) = say(database, account, told(charge("ch_1"), refs=(INTENT,)))
    ours = schedule(database, account, obligation)
    with unit_of_work(database.worker) as connection:
        connection.execute(
            text(
                "insert into idempotency_keys (connection_id, key, org_id, attempt_id,"
                " obligation_id, minted_wall) values (:connection_id, :key, :org_id, :attempt_id,"
                " :obligation_id, :wall)"
            ),
            {
                "connection_id": account.connection_id, "key": key_of(ours),
                "org_id": account.org_id, "attempt_id": ours, "obligation_id": obligation,
                "wall": NOW,
            },
        )  # fmt: skip
        connection.execute(
            text("update attempts set state = 'claimed' where id = :id"), {"id": ours}
        )
        connection.execute(
            text("update attempts set state = 'submitted' where id = :id"), {"id": ours}
        )
    stranger = charge("ch_2", PaymentStatus.FAILED, hours=1)
    say(database, account, told(stranger, refs=(INTENT,)))
    assert len(rows(database, "select 1 from attempts")) == 3
    say(database, account, told(replace(stranger, idempotency_key=key_of(ours)), refs=(INTENT,)))
    assert rows(database, "select actor, state, psp_payment_id from attempts order by 3") == [
        ("merchant", "failed", "ch_1"),
        ("tinko", "failed", "ch_2"),
    ]


def test_what_was_sent_may_be_written_on_when_its_debt_is_paid_but_not_be_tried_again(
    database, account
):
    (obligation,) = say(database, account, told(charge("ch_1"), refs=(INTENT,)))
    ours = schedule(database, account, obligation)
    move = "update attempts set state = :state where id = :id"
    with unit_of_work(database.worker) as connection:
        for state in ("claimed", "submitted"):
            connection.execute(text(move), {"id": ours, "state": state})
    say(database, account, told(charge("ch_2", PaymentStatus.SUCCEEDED, hours=1), refs=(INTENT,)))
    with unit_of_work(database.worker) as connection:
        connection.execute(
            text("update attempts set empty_reads = 1, state = state where id = :id"), {"id": ours}
        )
    with (
        pytest.raises(DBAPIError, match="is not to be charged"),
        unit_of_work(database.worker) as connection,
    ):
        connection.execute(text(move), {"id": ours, "state": "scheduled"})


def test_history_of_many_attempts_in_one_statement_has_each_with_its_states(database, account):
    (obligation,) = say(database, account, told(charge("ch_1"), refs=(INTENT,)))
    ours = [schedule(database, account, obligation) for _ in range(3)]
    with unit_of_work(database.worker) as connection:
        connection.execute(
            text("update attempts set state = 'claimed' where id = any(:ids)"), {"ids": ours[1:]}
        )
    told_of = (
        "select from_state, to_state from state_history where entity = 'attempt'"
        " and entity_id = :id order by seq"
    )
    for one in ours:
        claimed = [("scheduled", "claimed")] if one in ours[1:] else []
        assert rows(database, told_of, id=one) == [(None, "scheduled"), *claimed]


def test_the_psps_own_retries_are_told_apart_by_time(database, account):
    for hours, name in ((48, "ch_3"), (0, "ch_1"), (24, "ch_2")):
        say(
            database,
            account,
            told(charge(name, hours=hours), refs=(INVOICE,), psp_retries=True),
        )
    assert rows(database, "select psp_payment_id, actor from attempts order by 1") == [
        ("ch_1", "merchant"),
        ("ch_2", "psp"),
        ("ch_3", "psp"),
    ]


def test_a_lost_mandate_cancels_what_is_scheduled(database, account):
    (obligation,) = say(
        database,
        account,
        told(charge("ch_1"), refs=(INTENT,), has_mandate=True, mandate_ref="pm_1"),
    )
    ours = schedule(database, account, obligation)
    say(database, account, Observation(mandate_lost="pm_1"))
    assert rows(database, "select state from attempts where id = :id", id=ours) == [("cancelled",)]
    assert rows(database, "select has_mandate from obligations") == [(False,)]


def test_a_paid_door_stays_paid(database, account):
    door = DoorSeen(DoorKind.CHECKOUT_SESSION, "cs_1", DoorStatus.PAID)
    late = replace(door, status=DoorStatus.OPEN)
    say(database, account, told(charge("ch_1"), refs=(INTENT,), doors=(door,)))
    say(database, account, told(refs=(INTENT,), doors=(late,)))
    assert rows(database, "select status from doors") == [("paid",)]


def test_every_change_of_state_leaves_a_row(database, account):
    say(database, account, *LIFE)
    moves = rows(
        database,
        "select from_state, to_state from state_history where entity = 'obligation' order by seq",
    )
    assert moves == [(None, "open"), ("open", "paid")]


def test_a_tenant_sees_its_own_rows_and_nobody_sees_all(database, account):
    say(database, account, *LIFE)
    for engine in (database.app, database.readonly):
        with unit_of_work(engine) as connection:
            assert connection.scalar(text("select count(*) from obligations")) == 0
        with unit_of_work(engine, uuid.uuid4()) as connection:
            assert connection.scalar(text("select count(*) from attempts")) == 0
        with unit_of_work(engine, account.org_id) as connection:
            assert connection.scalar(text("select count(*) from attempts")) == 3
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        unit_of_work(database.app, uuid.uuid4()) as connection,
    ):
        connection.execute(
            text("insert into organisations (org_id, slug, name, created_at)"
                 " values (:org, 'x', 'x', :now)"),
            {"org": account.org_id, "now": NOW},
        )  # fmt: skip


def test_every_table_with_a_tenant_is_forced_behind_it(database):
    found = rows(
        database,
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where a.attname = 'org_id' and c.relkind in ('r', 'p') and not c.relispartition"
        " and not (c.relrowsecurity and c.relforcerowsecurity)",
    )
    assert not found, f"row-level security is not forced on {[row[0] for row in found]}"
    partitions = rows(
        database,
        "select grantee, table_name from information_schema.role_table_grants g"
        " join pg_class c on c.relname = g.table_name"
        " where c.relispartition and grantee <> 'tinko_owner'",
    )
    assert not partitions, f"grants on partitions inherit no policy: {partitions}"


def test_two_writers_of_one_debt_do_not_make_two(database, account):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        news = [told(charge(f"ch_{n}"), refs=(INVOICE, INTENT)) for n in range(12)]
        found = list(pool.map(lambda one: say(database, account, one)[0], news))
    assert len(set(found)) == 1
    assert rows(database, "select count(*) from attempts") == [(12,)]


def test_the_strongest_object_says_what_is_due(database, account):
    """An invoice of 1000 stays one of 1000, whatever its PaymentIntent is over."""
    intent = told(charge("ch_1"), refs=(INVOICE, INTENT), due=600)
    intent = replace(intent, due_from=RefKind.PAYMENT_INTENT)
    invoice = replace(told(refs=(INVOICE,)), due_from=RefKind.INVOICE)
    say(database, account, intent)
    assert rows(database, "select due_minor from obligations") == [(600,)]
    say(database, account, invoice)
    say(database, account, intent)
    assert rows(database, "select due_minor from obligations") == [(1000,)]
    say(database, account, replace(invoice, due=900))
    assert rows(database, "select due_minor from obligations") == [(900,)]


def test_where_the_payer_is_and_the_merchants_words_are_kept(database, account):
    where = CustomerSeen(country="IN", tags=("vip", "annual"))
    say(database, account, told(refs=(INVOICE,), customer=where))
    say(database, account, told(refs=(INVOICE,), customer=CustomerSeen(name="Asha")))
    kept = rows(database, "select payer_name, payer_country, customer_tags from obligations")
    assert kept == [("Asha", "IN", ["vip", "annual"])]
