"""Real engines for the analytics tests, and a small ledger written straight into Postgres."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, update

from tests.conftest import TEMPLATE
from tinko_pipelines.core.analytics import schema
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.dbt import DbtProject
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.core.db.tables.ledger import attempts, failures, obligations
from tinko_pipelines.core.db.tables.notifications import notification_deliveries, outbox
from tinko_pipelines.core.db.tables.recovery import cases, decisions
from tinko_pipelines.core.db.tables.settlement import payouts, settlement_lines
from tinko_pipelines.core.db.tables.tenants import organisations
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.local import process
from tinko_pipelines.local.ports import free_port

START = datetime(2026, 9, 28, 9, tzinfo=UTC)
CONNECTION, POLICY = uuid.UUID(int=7), uuid.UUID(int=8)
WRITER = "writer-of-the-tests"


@dataclass
class ClickHouseServer:
    """`tinko_pipelines.local.chserver` as a child: it can be taken away and come back."""

    data: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://tinko_writer:{WRITER}@127.0.0.1:{self.port}/tinko"

    @property
    def address(self) -> ClickHouseAddress:
        return ClickHouseAddress.parse(self.url)

    def start(self) -> None:
        module = "tinko_pipelines.local.chserver"
        self.process = subprocess.Popen(
            process.shim(
                [sys.executable, "-m", module, f"--data={self.data}", f"--port={self.port}"]
            ),
            env={**os.environ, "CHSERVER_WRITER_PASSWORD": WRITER},
        )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, "the ClickHouse server did not start"
            assert time.monotonic() < deadline, "the ClickHouse server does not answer"
            time.sleep(0.1)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ping").status == 200
        return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@dataclass
class Ledger:
    """Writes rows as tinko_worker, each call in a transaction of its own."""

    engine: Engine
    org: uuid.UUID
    start: datetime = START

    def debt(self, at: datetime, due: int = 1000, **values) -> uuid.UUID:
        row = {
            "id": new_id(at),
            "org_id": self.org,
            "connection_id": CONNECTION,
            "psp": "stripe",
            "state": "open",
            "due_minor": due,
            "currency": "USD",
            "payer_email": "payer@example.com",
            "created_at": at,
            "updated_at": at,
        } | values
        self._write(insert(obligations).values(row))
        return row["id"]

    def attempt(self, debt: uuid.UUID, at: datetime, **values) -> uuid.UUID:
        row = {
            "id": new_id(at),
            "org_id": self.org,
            "connection_id": CONNECTION,
            "psp": "stripe",
            "obligation_id": debt,
            "actor": "merchant",
            "state": "failed",
            "amount_minor": 1000,
            "currency": "USD",
            "method": "card",
            "occurred_at": at,
            "finished_at": at,
            "created_at": at,
            "updated_at": at,
        } | values
        self._write(insert(attempts).values(row))
        return row["id"]

    def failure(self, attempt: uuid.UUID, debt: uuid.UUID, at: datetime, **values) -> None:
        row = {
            "attempt_id": attempt,
            "org_id": self.org,
            "obligation_id": debt,
            "psp": "stripe",
            "category": "insufficient_funds",
            "retry_advice": "timed",
            "hard": False,
            "who_acts": "tinko",
            "confidence": 0.9,
            "late_authorisation": False,
            "decided_by": "stripe:insufficient_funds",
            "failed_at": at,
            "created_at": at,
        } | values
        self._write(insert(failures).values(row))

    def case(self, debt: uuid.UUID, at: datetime, **values) -> uuid.UUID:
        row = {
            "id": new_id(at),
            "org_id": self.org,
            "connection_id": CONNECTION,
            "obligation_id": debt,
            "policy_version_id": POLICY,
            "state": "open",
            "opened_at": at,
            "updated_at": at,
        } | values
        self._write(insert(cases).values(row))
        return row["id"]

    def failed_debt(
        self,
        at: datetime,
        *,
        due: int = 1000,
        currency: str = "USD",
        psp: str = "stripe",
        category: str = "insufficient_funds",
        recovered: bool = False,
    ) -> uuid.UUID:
        """A debt that failed at `at`; if recovered, by a try of ours two days later."""
        debt = self.debt(at, due, currency=currency, psp=psp)
        common = {"amount_minor": due, "currency": currency, "psp": psp}
        attempt = self.attempt(debt, at, **common)
        self.failure(attempt, debt, at, psp=psp, category=category)
        case = self.case(debt, at)
        if recovered:
            later = at + timedelta(days=2)
            self.attempt(
                debt, later, **common, actor="tinko", state="succeeded", submitted_at=later
            )
            self.recover(case, due, later)
        return debt

    def decision(self, debt: uuid.UUID, case: uuid.UUID, at: datetime, **reasons) -> None:
        self._write(
            insert(decisions).values(
                id=new_id(at),
                org_id=self.org,
                case_id=case,
                obligation_id=debt,
                policy_version_id=POLICY,
                action="ask_payer",
                reasons={"reasons": ["insufficient_funds"]} | reasons,
                inputs={},
                decided_at=at,
            )
        )

    def message(
        self, debt: uuid.UUID, case: uuid.UUID, at: datetime, result: str = "accepted", **values
    ) -> None:
        row = {
            "id": new_id(at),
            "org_id": self.org,
            "case_id": case,
            "obligation_id": debt,
            "message": "pay_link",
            "channel": "email",
            "recipient": "payer@example.com",
            "language": "en",
            "dedupe_key": str(uuid.uuid4()),
            "payload": {},
            "state": "sent",
            "due_at": at,
            "sent_at": at,
            "created_at": at,
            "updated_at": at,
        } | values
        self._write(insert(outbox).values(row))
        self._write(
            insert(notification_deliveries).values(
                id=new_id(at),
                org_id=self.org,
                outbox_id=row["id"],
                channel=row["channel"],
                result=result,
                at=at,
            )
        )

    def line(self, number: int, at: datetime, **values) -> None:
        """A payment's settlement line of 1000 with a fee of 29, 4 of it tax."""
        row = {
            "connection_id": CONNECTION,
            "line_id": f"txn_{number}",
            "org_id": self.org,
            "psp": "stripe",
            "kind": "payment",
            "gross_minor": 1000,
            "fee_minor": 29,
            "tax_minor": 4,
            "net_minor": 971,
            "currency": "USD",
            "created_at": at,
            "day": at.date(),
            "listed_at": at,
        } | values
        self._write(insert(settlement_lines).values(row))

    def payout(self, number: int, at: datetime, **values) -> None:
        """A payout of 971 that the bank has."""
        row = {
            "connection_id": CONNECTION,
            "payout_id": f"po_{number}",
            "org_id": self.org,
            "psp": "stripe",
            "status": "paid",
            "amount_minor": 971,
            "currency": "USD",
            "itemised": True,
            "final": True,
            "created_at": at,
            "day": at.date(),
            "listed_at": at,
        } | values
        self._write(insert(payouts).values(row))

    def organisation(self, timezone: str) -> None:
        self._write(
            insert(organisations).values(
                org_id=self.org,
                slug=str(self.org),
                name="Example",
                timezone=timezone,
                created_at=self.start,
            )
        )

    def recover(self, case: uuid.UUID, minor: int, at: datetime) -> None:
        self.change(
            cases,
            case,
            state="recovered",
            recovered_by="retry",
            recovered_minor=minor,
            updated_at=at,
        )

    def change(self, table, key: uuid.UUID, **values) -> None:
        column = next(iter(table.primary_key.columns))
        self._write(update(table).where(column == key).values(**values))

    def _write(self, statement) -> None:
        with self.engine.begin() as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(tmp_path_factory.mktemp("ch"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def project(clickhouse_server, tmp_path_factory) -> DbtProject:
    """Parsed once: that takes longer than to build a small world."""
    made = DbtProject(clickhouse_server.address, target=tmp_path_factory.mktemp("target"))
    made.prepare()
    return made


@pytest.fixture(scope="module")
def database(postgres) -> Iterator[str]:
    """A copy of the migrated template for a module's tests; yields its name."""
    name = f"analytics_{uuid.uuid4().hex[:8]}"
    postgres.create_database(name, TEMPLATE)
    yield name
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def engine(postgres, database):
    worker = make_engine(postgres.url("tinko_worker", database))
    yield worker
    worker.dispose()


LEFT_BEHIND = (
    *("cases", "failures", "attempts", "obligations", "outbox", "settlement_lines", "payouts"),
    *("deleted_rows", "sink_watermarks"),
)


def empty_ledger(engine: Engine) -> None:
    """Nothing in the ledger and no watermark."""
    with engine.begin() as connection:
        for table in LEFT_BEHIND:
            connection.exec_driver_sql(f"delete from {table}")


def empty_tables(server: ClickHouseServer):
    """A client on empty, freshly made tables."""
    if server.process is None:
        server.start()
    made = server.address.client()
    made.command("drop database if exists tinko sync")
    schema.apply(made)
    return made


@pytest.fixture
def empty(engine):
    empty_ledger(engine)


@pytest.fixture
def ledger(engine, empty) -> Ledger:
    return Ledger(engine, uuid.uuid4())


@pytest.fixture
def client(clickhouse_server):
    made = empty_tables(clickhouse_server)
    yield made
    made.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)
