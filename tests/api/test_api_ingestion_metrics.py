"""What webhooks missed is counted where Prometheus looks, and costs nothing while Postgres is
away."""

from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text

from api.metrics import IngestionCollector
from tinko_pipelines.core.db.engine import make_engine, unit_of_work
from tinko_pipelines.local.ports import free_port


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
