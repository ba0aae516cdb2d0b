"""What the app says of rows that are in the archive, and what it refuses to count without them."""

import uuid

import pytest
from sqlalchemy import text

from tests.integration.archival.stage import NOW, TENANTS, archivist, rows, seed
from tinko_pipelines.core.archival.audit import wrong_months
from tinko_pipelines.core.archival.model import Archived
from tinko_pipelines.core.archival.restore import restore
from tinko_pipelines.core.archival.run import run
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.queries import query
from tinko_pipelines.core.errors import Conflict, NotFound
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.psp.types import (
    CustomerSeen,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery.explain import explain_attempt


@pytest.fixture
def world(database, s3):
    """An archived month: its target, archivist, and one attempt with its refs."""
    target = seed(database, debts=3)["attempts"]
    work = archivist(database, s3.store())
    found = rows(
        database,
        "select a.id, a.obligation_id, a.psp_payment_id, a.amount_minor, a.currency, a.org_id,"
        " a.connection_id, a.occurred_at from attempts as a where a.state = 'succeeded'"
        " and a.org_id = :org limit 1",
        org=TENANTS[0].org_id,
    )[0]
    (done,) = run(work, {target})
    assert done.error is None
    return target, work, found


def test_an_archived_attempt_is_said_to_be_archived(database, world):
    target, work, attempt = world
    with unit_of_work(database.app, attempt.org_id) as connection:
        with pytest.raises(Archived) as caught:
            explain_attempt(connection, attempt.id)
        assert caught.value.extra == {"month": str(target.month)}
        assert f"tinko archive restore attempts {target.month}" in caught.value.detail
        assert caught.value.status == 404
        with pytest.raises(NotFound) as plain:
            explain_attempt(connection, uuid.uuid4())
        assert not isinstance(plain.value, Archived)
    restore(work, target)
    with unit_of_work(database.app, attempt.org_id) as connection:
        assert explain_attempt(connection, attempt.id).attempt.id == attempt.id


def refund(attempt):
    """What the PSP says of the archived capture years later: a part went back."""
    return Observation(
        refs=(Ref(RefKind.PAYMENT, attempt.psp_payment_id),), due=attempt.amount_minor,
        paid=attempt.amount_minor, currency=attempt.currency, customer=CustomerSeen(),
        payments=(
            PaymentSeen(
                object_id=attempt.psp_payment_id, status=PaymentStatus.SUCCEEDED,
                amount=attempt.amount_minor, currency=attempt.currency, refunded=100,
                occurred_at=attempt.occurred_at, updated_at=NOW,
            ),
        ),
    )  # fmt: skip


def test_news_of_an_archived_debt_waits_until_its_tries_are_back(database, world):
    target, work, attempt = world
    account = Account(attempt.org_id, attempt.connection_id, "stripe", "acct_1")

    def apply():
        with unit_of_work(database.worker) as connection:
            lock_refs(connection, account, [refund(attempt)])
            return apply_observation(connection, account, refund(attempt), NOW)

    debt = "select paid_minor, refunded_minor, state from obligations where id = :id"
    before = rows(database, debt, id=attempt.obligation_id)
    with pytest.raises(Archived, match=str(target.month)):
        apply()
    assert rows(database, debt, id=attempt.obligation_id) == before
    assert rows(database, "select count(*) from attempts where id = :id", id=attempt.id) == [(0,)]
    restore(work, target)
    assert apply() == attempt.obligation_id
    (after,) = rows(database, debt, id=attempt.obligation_id)
    assert (after.paid_minor, after.refunded_minor) == (attempt.amount_minor, 100)


def test_a_restore_writes_no_history_and_keeps_versions(database, world):
    target, work, attempt = world
    history = "select count(*) from state_history"
    before = rows(database, history)
    restore(work, target)
    assert rows(database, history) == before
    # and the month is the ledger's again: the next change of a row leaves its history
    with database.worker.begin() as connection:
        connection.execute(
            text("update attempts set state = 'failed' where id = :id"), {"id": attempt.id}
        )
    assert rows(database, history)[0][0] == before[0][0] + 1
    with pytest.raises(Conflict):
        restore(work, target)


def test_the_check_of_the_bucket_sees_what_is_gone(world):
    target, work, _ = world
    assert wrong_months(work, "attempts") == ({}, 1)
    for key in work.store.sizes("archive/table=attempts"):
        work.store.client.delete_object(Bucket=work.store.bucket, Key=key)
    wrong, months = wrong_months(work, "attempts")
    assert (list(wrong), months) == ([str(target.month)], 1)


def test_the_ledgers_totals_do_not_change_when_a_month_leaves(database, s3):
    target = seed(database, debts=10)["attempts"]

    def totals():
        with unit_of_work(database.worker) as connection:
            return sorted(connection.execute(query("analytics", "ledger_totals")).all())

    before = totals()
    assert sum(one.failed for one in before) == 10 * len(TENANTS)
    assert sum(one.retried for one in before) == 6 * len(TENANTS)
    (done,) = run(archivist(database, s3.store()), {target})
    assert done.error is None
    assert totals() == before
