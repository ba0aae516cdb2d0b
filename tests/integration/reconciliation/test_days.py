"""A day's books out of Postgres: what is found is kept, closes itself, and the money adds up."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.integration.ledger.aftermath_world import NOW, charge
from tests.integration.reconciliation.books_stage import (
    CAPTURED,
    DAY,
    LATER,
    line,
    payout,
    record,
)
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ids import id_floor
from tinko_pipelines.core.psp.operations import RefundStatus
from tinko_pipelines.core.psp.records import PspRecord, RecordKind
from tinko_pipelines.core.psp.settlement import LineKind, PayoutStatus
from tinko_pipelines.core.psp.types import DisputeStatus, PaymentStatus, Psp, Ref, RefKind
from tinko_pipelines.core.quality.model import Aside, Refusal, Source
from tinko_pipelines.core.quality.quarantine import set_aside
from tinko_pipelines.core.reconciliation import report
from tinko_pipelines.core.reconciliation.revisiting import (
    captures_left_out,
    days_to_revisit,
    note_changed_days,
)
from tinko_pipelines.core.reconciliation.run import days_that_differ

NEXT = DAY + timedelta(days=1)
FAILED = record("ch_1", PaymentStatus.FAILED, at=NOW)


@pytest.fixture
def stage(stage):
    """A debt that failed on one day and was paid on the next."""
    stage.recovered()
    stage.clock.instant = LATER
    return stage


def test_a_day_that_is_not_listed_is_not_reconciled(stage):
    assert "not listed" in stage.reconcile().skipped
    assert stage.findings() == []


@pytest.mark.parametrize("month", ["the day's own", "that its attempt was planned in"])
def test_a_day_whose_attempts_are_archived_keeps_what_was_found_of_it(stage, month):
    stage.listed(FAILED, record(), lines=[line()], payouts=[payout()])
    assert stage.reconcile(NEXT).kinds == {}
    before = stage.rows("select * from reconciled_days")
    low, high = (id_floor(NOW + timedelta(days=one)) for one in (-20, 20))
    if month != "the day's own":
        low, high = (id_floor(NOW - timedelta(days=one)) for one in (60, 30))
        planned = "update psp_refs set attempt_id = :id where object_id = 'ch_2'"
        stage.write(planned, id=id_floor(NOW - timedelta(days=40)))
    stage.write("delete from attempts")
    with stage.database.owner.begin() as connection:
        connection.execute(
            text("insert into archives (relation, month, state, low, high, actor, tool_version,"
                 " started_wall) values"
                 " ('attempts', '2026-09', 'discarded', :low, :high, 'a test', '1', :now)"),
            {"low": low, "high": high, "now": NOW},
        )  # fmt: skip
    assert "archived" in stage.reconcile(NEXT).skipped
    assert stage.findings() == []
    assert stage.rows("select * from reconciled_days") == before
    note_changed_days(stage.engine, stage.clock)
    assert days_to_revisit(stage.engine, stage.account.connection_id, LATER.date()) == []


def test_days_that_agree(stage):
    stage.listed(FAILED, record(), lines=[line()], payouts=[payout()])
    assert stage.reconcile().kinds == {}
    (money,) = stage.reconcile(NEXT).totals
    assert (money.ledger_minor, money.matched_minor, money.findings_minor) == (1000, 1000, 0)
    assert (money.settled_minor, money.fee_minor, money.psp_minor) == (1000, 59, 1000)
    assert money.adds_up
    assert stage.rows("select day, currency, ledger_minor, ledger_count from reconciled_days"
                      " order by day") == [(DAY, "USD", 0, 1), (NEXT, "USD", 1000, 1)]  # fmt: skip


def test_what_is_found_is_kept_once_and_closes_itself(stage):
    stage.listed(FAILED, record(amount=900), record("ch_7", at=CAPTURED, amount=50),
                 lines=[line(gross=900, net=841), line("ch_7", gross=50, net=-9)])  # fmt: skip
    first = stage.reconcile(NEXT)
    assert first.changes == {"opened": 2, "standing": 2, "closed": 0}
    assert stage.findings() == [
        ("amount", "ledger", "ch_2", 100, "open"),
        ("missing_here", "ledger", "ch_7", 50, "open"),
    ]
    assert [(one.ledger_minor, one.matched_minor, one.findings_minor, one.psp_findings_minor)
            for one in first.totals] == [(1000, 0, 1000, 950)]  # fmt: skip
    assert days_that_differ(stage.engine) == []
    again = stage.reconcile(NEXT)
    assert again.changes == {"opened": 0, "standing": 2, "closed": 0}
    # the ledger hears of it, and the listing is corrected
    stage.say(charge("ch_7", hours=24, amount=50), refs=(Ref(RefKind.INVOICE, "in_7"),), due=50)
    stage.listed(record())
    stage.listed(lines=[line()])
    assert stage.reconcile(NEXT).changes == {"opened": 0, "standing": 0, "closed": 2}
    assert {one[-1] for one in stage.findings()} == {"fixed"}
    # and is found again
    stage.listed(record(amount=900))
    assert stage.reconcile(NEXT).changes["opened"] == 2  # its line says another sum too
    assert ("state", "fixed", "open", "reconciliation") in {one[:4] for one in stage.events()}


def test_what_a_person_has_said_stays_and_still_closes(stage):
    stage.listed(FAILED, record(amount=900))
    stage.reconcile(NEXT)
    stage.write(
        "update findings set state = 'accepted', changed_by = 'somebody' where kind = 'amount'"
    )
    stage.reconcile(NEXT)
    assert ("amount", "ledger", "ch_2", 100, "accepted") in stage.findings()
    stage.listed(record())
    stage.reconcile(NEXT)
    assert ("amount", "ledger", "ch_2", 100, "fixed") in stage.findings()


def test_refunds_disputes_and_late_settlements_of_the_day(stage):
    refund = PspRecord(
        RecordKind.REFUND, "re_1", "ch_2", RefundStatus.SUCCEEDED, 300, "USD", CAPTURED
    )
    dispute = PspRecord(
        RecordKind.DISPUTE, "dp_1", "ch_2", DisputeStatus.LOST, 700, "USD", CAPTURED
    )
    stage.listed(FAILED, record(refunded=300), refund, dispute)
    stage.clock.instant = LATER + timedelta(days=14)
    stage.listed()
    stage.reconcile(NEXT)
    assert stage.findings() == [
        ("dispute_not_reflected", "ledger", "dp_1", 700, "open"),
        ("dispute_not_reflected", "settlement", "dp_1", 700, "open"),
        ("refund_not_reflected", "ledger", "ch_2", 300, "open"),
        ("refund_not_reflected", "settlement", "re_1", 300, "open"),
        ("unsettled", "settlement", "ch_2", 1000, "open"),
    ]


def test_a_payout_and_what_was_settled_without_anybody_listing_it(stage):
    stage.listed(FAILED, record(), lines=[line(), line("ch_8", gross=10, fee=0, net=10)],
                 payouts=[payout(amount=940)])  # fmt: skip
    stage.reconcile(NEXT)
    stage.reconcile((CAPTURED + timedelta(days=3)).date())
    assert stage.findings() == [
        ("payout_total", "payout", "po_1", 11, "open"),
        ("settled_without_capture", "settlement", "ch_8", 10, "open"),
    ]


def test_the_money_of_a_payout_that_came_back_is_where_it_left_again(stage):
    back = PayoutStatus.FAILED
    stage.listed(FAILED, record(), lines=[line(payout_status=back)], payouts=[payout(status=back)])
    stage.clock.instant = LATER + timedelta(days=14)
    stage.listed()
    stage.reconcile(NEXT)
    assert [kind for kind, *_, state in stage.findings() if state == "open"] == ["unsettled"]
    again = line("po_1", "po_2", line_id="txn_back", kind=LineKind.PAYOUT_FAILURE, payment_id=None)
    stage.listed(lines=[again], payouts=[payout("po_2")])
    stage.reconcile(NEXT)
    assert [one for one in stage.findings() if one[-1] == "open"] == []


def test_another_organisation_sees_none_of_it(stage, database):
    stage.listed(FAILED, record(amount=900))
    stage.reconcile(NEXT)
    tables = ("findings", "finding_events", "reconciled_days", "settlements")
    stage.settle()
    for org, seen in ((stage.account.org_id, 1), (stage.account.connection_id, 0)):
        with unit_of_work(database.app, org) as connection:
            counts = [connection.scalar(text(f"select count(*) from {one}")) for one in tables]
        assert [min(one, 1) for one in counts] == [seen] * 4


def test_money_that_does_not_add_up_is_told(stage):
    stage.listed(FAILED, record(), lines=[line()])
    stage.reconcile(NEXT)
    stage.write("update reconciled_days set matched_minor = 999")
    (told,) = days_that_differ(stage.engine)
    assert "ledger 1000" in told


def test_a_capture_that_is_in_no_day_is_told(stage):
    def left_out():
        return captures_left_out(stage.engine, Psp.STRIPE, LATER.date())

    assert left_out() == []  # nothing was listed that could hold it
    stage.listed(FAILED, record(), lines=[line()], payouts=[payout()])
    (told,) = left_out()
    assert told == f"{NEXT} USD of {stage.account.connection_id}: collected 1000, in the books 0"
    note_changed_days(stage.engine, stage.clock)
    for day in (DAY, NEXT):
        stage.reconcile(day)
    assert left_out() == []
    assert days_that_differ(stage.engine) == []
    # one that comes now is booked by the next run; had that passed it over, it would be told
    stage.say(charge("ch_7", hours=24, amount=50), refs=(Ref(RefKind.INVOICE, "in_7"),), due=50)
    assert left_out() == []
    note_changed_days(stage.engine, stage.clock)
    assert "collected 1050, in the books 1000" in left_out()[0]
    assert days_that_differ(stage.engine) == []
    stage.reconcile(NEXT)
    assert left_out() == []


def test_days_are_looked_at_again_when_their_books_changed(stage):
    def again(before=DAY + timedelta(days=90)):
        note_changed_days(stage.engine, stage.clock)
        return days_to_revisit(stage.engine, stage.account.connection_id, before)

    assert again() == []  # not listed yet
    stage.clock.instant = CAPTURED + timedelta(days=1)
    stage.listed(FAILED, record())
    assert again() == [DAY, NEXT]
    assert again(before=NEXT) == [DAY]
    stage.reconcile()
    # what is not late yet waits for its time
    assert stage.reconcile(NEXT).kinds == {}
    assert again() == [NEXT]
    stage.clock.instant = LATER
    stage.listed()
    assert stage.reconcile(NEXT).kinds == {"unsettled": 1}
    assert again() == []
    settled_on = (CAPTURED + timedelta(days=3)).date()
    stage.listed(lines=[line()], payouts=[payout()])
    assert again() == [NEXT, settled_on]
    assert stage.reconcile(NEXT).changes["closed"] == 1
    assert again() == [settled_on]


def test_a_payout_that_came_back_and_left_again_touches_the_days_of_its_payments(stage):
    stage.listed(FAILED, record(), lines=[line()], payouts=[payout()])
    note_changed_days(stage.engine, stage.clock)
    stage.write("delete from unreconciled_days")
    for gone, carrier in (("po_1", "po_2"), ("po_2", "po_3")):
        back = line(gone, carrier, line_id=f"back_{gone}", kind=LineKind.PAYOUT_FAILURE,
                    payment_id=None)  # fmt: skip
        stage.listed(lines=[back])
        note_changed_days(stage.engine, stage.clock)
        days = stage.rows("delete from unreconciled_days returning day")
        assert (NEXT,) in days


def test_the_books_are_read_from_their_beginning_after_a_restore(stage):
    stage.listed(FAILED, record())
    assert note_changed_days(stage.engine, stage.clock) == 2
    stage.write("delete from unreconciled_days")
    assert note_changed_days(stage.engine, stage.clock) == 0
    # another cluster, whose transactions count from anew
    stage.write("update sink_watermarks set position = 1 << 40 where sink = 'reconciliation'")
    assert note_changed_days(stage.engine, stage.clock) == 2
    stage.write("delete from unreconciled_days")
    assert note_changed_days(stage.engine, stage.clock) == 0


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [([], {"unsettled": 1}), ([line(payout=None)], {}),
     ([line(payout=None, on_hold=True)], {"unsettled": 1})],
)  # fmt: skip
def test_what_is_available_for_a_payout_by_hand_is_explained(stage, lines, kinds):
    stage.listed(FAILED, record(), lines=lines, payouts=[payout("po_9", itemised=False)])
    assert stage.reconcile(NEXT).kinds == kinds


BY_ITSELF = {"created_at": CAPTURED + timedelta(days=6)}


@pytest.mark.parametrize(
    ("free_on", "kinds", "state"),
    # it may have left with the payout by hand, or waits for the next of the PSP's own
    [(2, {}, "available"), (4, {"unsettled": 1}, "overdue")],
)
def test_a_payout_by_hand_explains_what_was_available_by_then(stage, free_on, kinds, state):
    by_itself = replace(payout("po_8", amount=5), **BY_ITSELF)
    free = line(payout=None, available_on=CAPTURED + timedelta(days=free_on))
    stage.listed(FAILED, record(), lines=[free],
                 payouts=[payout("po_9", itemised=False), by_itself])  # fmt: skip
    assert stage.reconcile(NEXT).kinds == kinds
    assert stage.settle() == {state: 1}


@pytest.mark.parametrize(
    ("interval", "payouts", "kinds", "state"),
    [
        # on a manual schedule, and never paid out yet
        ("manual", [], {}, "available"),
        # one payout by hand, long before this money came
        ("daily", [payout("po_9", itemised=False)], {"unsettled": 1}, "overdue"),
        (None, [payout("po_9", itemised=False)], {"unsettled": 1}, "overdue"),
        # it leaves with the week's
        ("weekly", [], {}, "not_due"),
        ("daily", [], {"unsettled": 1}, "overdue"),
    ],
)
def test_the_schedule_says_what_is_late(stage, interval, payouts, kinds, state):
    before = [replace(one, created_at=CAPTURED - timedelta(days=40)) for one in payouts]
    stage.clock.instant = CAPTURED + timedelta(days=9)
    stage.listed(FAILED, record(), lines=[line(payout=None)], payouts=before)
    stage.paid_out(interval)
    assert stage.reconcile(NEXT).kinds == kinds
    assert stage.settle() == {state: 1}


def test_lines_in_quarantine_are_told_with_their_day_until_they_are_let_through(stage):
    stage.listed(FAILED, record(), lines=[line()], payouts=[payout()])
    assert stage.reconcile(NEXT).kinds == {}
    note_changed_days(stage.engine, stage.clock)
    stage.write("delete from unreconciled_days")

    # as a check takes it: out of its table, whole, long after its day
    (payload,) = stage.rows("delete from settlement_lines returning to_jsonb(settlement_lines)")
    key = f"{stage.account.connection_id} txn_ch_2"
    refused = Refusal(("line_kind",), "line_kind: a kind nobody knows")
    with unit_of_work(stage.engine) as connection:
        row = Aside(stage.account.org_id, Source.LISTING, "settlement_lines", key, refused,
                    payload[0])  # fmt: skip
        set_aside(connection, [row], stage.clock.now())
    note_changed_days(stage.engine, stage.clock)
    assert stage.rows("select day from unreconciled_days") == [(NEXT,)]

    def told():
        with unit_of_work(stage.database.app, stage.account.org_id) as connection:
            return report.read(connection, DAY, NEXT, stage.clock.now())

    assert stage.reconcile(NEXT).kinds == {"unsettled": 1}
    (held,) = told().held
    assert (held["day"], held["frame"], held["rows"], held["minor"], held["currency"]) == (
        NEXT, "settlement_lines", 1, 1000, "USD",
    )  # fmt: skip
    assert "$10.00" in report.markdown(told())
    # the PSP has mended it
    stage.clock.instant += timedelta(hours=1)
    stage.listed(lines=[line()])
    assert told().held == []
    assert stage.reconcile(NEXT).kinds == {}
