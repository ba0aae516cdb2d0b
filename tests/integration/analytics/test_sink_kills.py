"""The proof `sink` at counts for every run: some deaths, and both targets away once."""

from __future__ import annotations

from tests.proofs.sink_kills import Stage, Tally, kill_everywhere, take_away
from tests.proofs.sink_worker import WITHIN, workers


def test_killed_or_left_alone_nothing_is_lost_and_nothing_doubled(
    postgres, database, engine, empty, clickhouse_server, s3
):
    tally, deaths = Tally(), ("accepted", WITHIN)
    with workers() as work:
        url = postgres.url("tinko_worker", database)
        stage = Stage(url, clickhouse_server, s3, "sink-kills", work)
        kill_everywhere(stage, 1, deaths, 110, tally)
        take_away(stage, 1, 60, tally)
        stage.close()
    assert tally.wrong == []
    assert tally.kills == dict.fromkeys(deaths, 2)
    assert tally.outages == 2
