"""A ledger with one connection, told by observations; its one case and how it stands."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.failures.store import classify_failures
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.ledger.apply import Account, apply_observation, lock_refs
from tinko_pipelines.core.psp.types import (
    DisputeSeen,
    DisputeStatus,
    Observation,
    PaymentSeen,
    PaymentStatus,
    Ref,
    RefKind,
)
from tinko_pipelines.core.recovery.cases import open_cases
from tinko_pipelines.core.tenants.organisations import create_organisation

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)
INVOICE, INTENT = Ref(RefKind.INVOICE, "in_1"), Ref(RefKind.PAYMENT_INTENT, "pi_1")
S = PaymentStatus


class Told:
    """Says observations to a ledger of one organisation."""

    def __init__(self, database):
        self.database, self.clock = database, FixedClock(NOW)
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
        self.account = Account(org.org_id, connection_id, "stripe", "acct_1")

    def say(self, *payments, refs=(INVOICE, INTENT), due=1000, **more):
        named = tuple(Ref(RefKind.PAYMENT, one.object_id) for one in payments)
        seen = Observation(
            refs=(*refs, *named), due=due, due_from=refs[0].kind if due else None, currency="USD",
            payments=payments, **more,
        )  # fmt: skip
        with unit_of_work(self.database.worker) as connection:
            lock_refs(connection, self.account, [seen])
            return apply_observation(connection, self.account, seen, self.clock.now())

    def work(self):
        classify_failures(self.database.worker, self.clock)
        open_cases(self.database.worker, self.clock)

    def recovered(self):
        """A debt that failed and was paid by a later charge."""
        self.say(charge("ch_1", S.FAILED))
        self.work()
        self.say(charge("ch_2", hours=24))

    def dispute(self, status, name="dp_1", payment="ch_2", amount=1000):
        seen = DisputeSeen(name, payment, DisputeStatus(status), amount, "USD")
        self.say(due=None, refs=(INTENT, Ref(RefKind.PAYMENT, payment)), disputes=(seen,))

    def rows(self, statement, **values):
        with unit_of_work(self.database.worker) as connection:
            return [tuple(one) for one in connection.execute(text(statement), values)]

    def write(self, statement, **values):
        with unit_of_work(self.database.worker) as connection:
            connection.execute(text(statement), values)

    def case(self):
        """(state, recovered, reversed) of the one case."""
        (found,) = self.rows("select state, recovered_minor, reversed_minor from cases")
        return found

    def steps(self):
        return [
            one
            for (one,) in self.rows(
                "select to_state from state_history where entity = 'case' order by seq"
            )
        ]


def charge(name, status=S.SUCCEEDED, hours=0, amount=1000, **more):
    at = NOW + timedelta(hours=hours)
    error = ErrorInfo(psp="stripe", decline_code="insufficient_funds")
    return PaymentSeen(
        name, status, amount, "USD", at, at, "card", "visa", "US", "fp_1", "pm_1",
        error=error if status is S.FAILED else None, **more,
    )  # fmt: skip
