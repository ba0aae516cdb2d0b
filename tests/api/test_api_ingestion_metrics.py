"""What webhooks missed is counted where Prometheus looks, and costs nothing while Postgres is
away."""

import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text

from api.metrics import IngestionCollector, WebhookMetrics
from tinko_pipelines.core.db.engine import make_engine, unit_of_work
from tinko_pipelines.core.ingestion.watch import DEAF
from tinko_pipelines.local.ports import free_port

ALERTS = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yaml"


def shown(engine):
    registry = CollectorRegistry()
    registry.register(IngestionCollector(engine))
    return generate_latest(registry).decode().splitlines()


def test_missed_late_and_reopened_by_psp(worker):
    with unit_of_work(worker) as connection:
        connection.execute(
            text(
                "insert into ingested_days (connection_id, org_id, psp, kind, day, state, healed,"
                " late) values (gen_random_uuid(), gen_random_uuid(), 'stripe', 'payment',"
                " '2026-09-01', 'closed', 4, 1), (gen_random_uuid(), gen_random_uuid(), 'stripe',"
                " 'payment', '2026-09-02', 'reopened', 3, 2)"
            )
        )
    lines = shown(worker)
    for line in (
        'tinko_webhooks_missed_total{psp="stripe"} 7.0',
        'tinko_ingested_late_total{psp="stripe"} 3.0',
        'tinko_ingested_days_reopened{psp="stripe"} 1.0',
    ):
        assert line in lines


def test_a_database_that_is_away_shows_nothing():
    away = make_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/none")
    assert shown(away) == []


def test_deaf_webhooks_are_counted_and_every_alert_asks_what_is_there(worker):
    with unit_of_work(worker) as connection:
        for number, (hearing, status) in enumerate(
            [("disabled", "active"), ("alive", "active"), ("silent", "disabled")]
        ):
            values = {"id": f"00000000-0000-0000-0000-{number:012}", "hearing": hearing}
            connection.execute(
                text(
                    "insert into connections (id, org_id, psp, account_id, livemode, label,"
                    " status, credentials, wrapped_key, created_at, updated_at) values"
                    " (cast(:id as uuid), cast(:id as uuid), 'razorpay', cast(:id as text), true,"
                    " '', :status, '', '', '2026-09-01', '2026-09-01')"
                ),
                values | {"status": status},
            )
            connection.execute(
                text(
                    "insert into webhook_watch values"
                    " (cast(:id as uuid), cast(:id as uuid), 'razorpay', :hearing, '2026-09-01',"
                    " '2026-09-02 00:00:00Z')"
                ),
                values,
            )
    lines = shown(worker)
    for line in (
        'tinko_webhooks_hearing{hearing="disabled",psp="razorpay"} 1.0',
        'tinko_webhooks_hearing{hearing="alive",psp="razorpay"} 1.0',
        'tinko_webhooks_hearing{hearing="silent",psp="razorpay"} 0.0',
        'tinko_webhooks_looked_timestamp_seconds{psp="razorpay"} 1.7883072e+09',
    ):
        assert line in lines
    registry = CollectorRegistry()
    WebhookMetrics(registry)
    there = {one.split()[2] for one in lines if one.startswith("# TYPE ")}
    there |= {f"{one.name}_total" for one in registry.collect() if one.type == "counter"}
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    asked = [rule["expr"] for group in groups for rule in group["rules"]]
    names = {name for one in asked for name in re.findall(r"\btinko_\w+", one)}
    assert names <= there
    hearings = {word for one in asked for said in re.findall(r'hearing=~?"([^"]+)"', one)
                for word in said.split("|")}  # fmt: skip
    assert hearings == {one.value for one in DEAF}
