"""`Told`, whose PSP has also listed payments, refunds, disputes, lines and payouts."""

from datetime import UTC, datetime, timedelta

from tests.integration.ledger.aftermath_world import NOW, Told
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.ingestion.frames import (
    Whose,
    lines_frame,
    payouts_frame,
    records_frame,
)
from tinko_pipelines.core.ingestion.load import load
from tinko_pipelines.core.psp.records import PspRecord, RecordKind
from tinko_pipelines.core.psp.settlement import LineKind, Payout, PayoutStatus, SettlementLine
from tinko_pipelines.core.psp.types import PaymentStatus, Psp
from tinko_pipelines.core.reconciliation.run import connections_of, reconcile_day
from tinko_pipelines.core.reconciliation.settle import settle_recoveries

DAY = NOW.date()
# Told.recovered() captures a day later
CAPTURED = NOW + timedelta(hours=24)
LATER = NOW + timedelta(days=14)


class BooksStage(Told):
    def __init__(self, database):
        super().__init__(database)
        self.engine = database.worker
        (self.mine,) = connections_of(self.engine, Psp.STRIPE)
        self.whose = Whose(self.account.org_id, self.account.connection_id, Psp.STRIPE)

    def listed(self, *records, lines=(), payouts=(), days=None):
        """What a listing found; `days` (default: all around) are closed then."""
        now = self.clock.now()
        frames = {
            "psp_records": records_frame(self.whose, records, now),
            "settlement_lines": lines_frame(self.whose, lines, now),
            "payouts": payouts_frame(self.whose, payouts, now),
        }
        with unit_of_work(self.engine, self.account.org_id) as connection:
            for table, frame in frames.items():
                load(connection, table, frame)
        for day in days or [DAY + timedelta(days=one) for one in range(-1, 15)]:
            for kind in ("payment", "settlement_line"):
                self.write(
                    "insert into ingested_days (connection_id, kind, day, org_id, psp, state,"
                    " last_listed_at) values (:connection, :kind, :day, :org, 'stripe', 'closed',"
                    " :now) on conflict (connection_id, kind, day) do update"
                    " set last_listed_at = excluded.last_listed_at",
                    connection=self.account.connection_id, kind=kind, day=day,
                    org=self.account.org_id, now=now,
                )  # fmt: skip

    def paid_out(self, interval):
        """How often, as the PSP says when it is asked."""
        self.write(
            "insert into payout_schedules (connection_id, org_id, payout_interval, since)"
            " values (:connection, :org, :interval, :now) on conflict (connection_id)"
            " do update set payout_interval = excluded.payout_interval",
            connection=self.account.connection_id, org=self.account.org_id, interval=interval,
            now=self.clock.now(),
        )  # fmt: skip

    def reconcile(self, day=DAY):
        return reconcile_day(self.engine, self.mine, self.clock, day)

    def settle(self):
        return settle_recoveries(self.engine, self.clock, batch=2)

    def findings(self):
        return self.rows(
            "select kind, leg, subject_id, amount_minor, state from findings"
            " where leg is not null order by kind, leg, subject_id"
        )

    def events(self):
        return self.rows(
            "select action, from_state, to_state, by, note from finding_events order by seq"
        )

    def settlement(self):
        (found,) = self.rows(
            "select state, payment_id, line_id, payout_id, currency, settled_currency,"
            " exchange_rate::text from settlements"
        )
        return found


def record(name="ch_2", status=PaymentStatus.SUCCEEDED, amount=1000, at=CAPTURED, **more):
    return PspRecord(RecordKind.PAYMENT, name, name, status, amount, "USD", at, **more)


def line(source="ch_2", payout="po_1", **more):
    given = {
        "line_id": f"txn_{source}", "kind": LineKind.PAYMENT, "source_id": source,
        "payment_id": source, "payout_id": payout,
        "payout_status": PayoutStatus.PAID if payout else None, "gross": 1000, "fee": 59, "tax": 0,
        "net": 941, "currency": "USD", "created_at": CAPTURED,
        "available_on": CAPTURED + timedelta(days=2),
        "settled_at": CAPTURED + timedelta(days=3) if payout else None,
    }  # fmt: skip
    return SettlementLine(**given | more)


def payout(name="po_1", status=PayoutStatus.PAID, amount=941, **more):
    at = datetime.combine(CAPTURED.date() + timedelta(days=3), datetime.min.time(), UTC)
    return Payout(name, status, amount, "USD", at, **more)
