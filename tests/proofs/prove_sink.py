"""The sink loses no row and doubles none: killed anywhere, and with its targets away."""

import tempfile
from pathlib import Path

from tests.integration.analytics.conftest import ClickHouseServer
from tests.proofs.due_world import postgres_of
from tests.proofs.harness import Finding, register
from tests.proofs.sink_kills import DEATHS, Stage, Tally, carry_again, kill_everywhere, take_away
from tests.proofs.sink_worker import workers
from tests.s3 import S3Server


@register("sink")
def sink(seeds: int = 10, rows: int = 400) -> Finding:
    """kill -9 at every labelled point for each target, and each target away, for so many seeds;
    `rows` debts are written, and some changed and deleted, before each."""
    tally = Tally()
    with (
        postgres_of(days=(0,)) as server,
        tempfile.TemporaryDirectory() as folder,
        S3Server(Path(folder)) as s3,
        workers() as work,
    ):
        template = "tinko_sink_template"
        server.create_database(template, "tinko")
        clickhouse = ClickHouseServer(Path(folder) / "clickhouse")
        clickhouse.start()
        try:
            for seed in range(1, seeds + 1):
                name = f"sink_kills_{seed}"
                server.create_database(name, template)
                url = server.url("tinko_worker", name)
                stage = Stage(url, clickhouse, s3, f"sink-{seed}", work)
                kill_everywhere(stage, seed, DEATHS, rows, tally)
                take_away(stage, seed, rows, tally)
                carry_again(stage, seed, tally)
                stage.close()
                server.drop_database(name)
        finally:
            clickhouse.kill()
    return Finding(
        tally.wrong,
        {
            "kills": tally.kills.total(),
            "labels": len(tally.kills),
            "outages": tally.outages,
            "rows": tally.rows,
            "lost": sum(one.startswith("lost") for one in tally.wrong),
            "doubled": sum(one.startswith("doubled") for one in tally.wrong),
        },
    )
