"""What `make up` promises, kills among it, on one running stack; the last test ends it.

What takes time to come (the mart, the runs) is asked for after the kills, which wait for it too.

Full counts of the kills: `make proof NAME=crash`.
"""

import contextlib

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.proofs.live_stack import wait_until
from tests.proofs.prove_crash import kill_and_reckon
from tests.proofs.prove_idle import measure
from tinko_pipelines.local.parts import PARTS

# no more than a hanging one is to take: the machine may be busy with other tests
pytestmark = pytest.mark.timeout(1800)

RUNS = """{
  runsOrError(filter: {statuses: [SUCCESS]}) { ... on Runs { results { jobName } } }
}"""


def test_the_readiness_table_lists_every_part_with_its_address(up):
    rows = {row[1].strip(): row[2:4] for row in table(up.said())}
    assert {name: rows[name][1].strip() for name in (part.name for part in PARTS)} == dict.fromkeys(
        (part.name for part in PARTS), "ready"
    )
    for part in PARTS:
        for name in part.ports[:1]:
            if part.address(up.stack):
                assert str(getattr(up.ports, name)) in rows[part.name][0]
    assert {"organisation", "X-API-KEY", "business time"} <= rows.keys()


def table(said):
    return [line.split("│") for line in said.splitlines() if line.startswith("│")]


def test_a_second_start_says_so_and_starts_nothing(up):
    before = up.leaders()
    second = up.tinko("up")
    assert second.returncode == 1
    assert f"is running already (pid {up.up.pid})" in second.stdout
    assert up.leaders() == before


def test_readiness_names_the_state_of_each_part(up):
    answer = httpx.get(f"{up.url('api')}/readyz", timeout=30)
    assert answer.status_code == 200, answer.text
    states = {name: part["state"] for name, part in answer.json()["parts"].items()}
    assert {"postgres", "clickhouse", "s3", "mail"} <= states.keys()
    assert "down" not in states.values(), answer.text


@pytest.mark.parametrize("path", ["overview", "connections"])
def test_the_printed_key_opens_the_api_and_nothing_else_does(up, path):
    url = f"{up.url('api')}/v1/{path}"
    assert httpx.get(url, headers={"X-API-KEY": up.api_key()}, timeout=30).status_code == 200
    assert httpx.get(url, timeout=30).status_code == 401
    wrong = httpx.get(url, headers={"X-API-KEY": up.api_key()[:-1] + "?"}, timeout=30)
    assert wrong.status_code == 401


def test_kills_lose_nothing_and_charge_nobody_twice(up):
    parts = ["api", "dagster-daemon", "postgres"]
    found = kill_and_reckon(up, parts, events_between=8, charges_between=0)
    print(found.numbers)  # noqa: T201 (shown by `pytest -rP`)
    assert not found.wrong, found
    assert found.numbers["kills"] == {"api": 1, "dagster-daemon": 1, "postgres": 1}
    assert found.numbers["events_acknowledged"] >= 60
    assert found.numbers["attempts_by_actor"]["tinko"] >= 1


def test_an_analyst_reads_the_mart_and_writes_nothing(up):
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=up.ports.clickhouse, username="tinko_reader", database="tinko"
    )

    def failures_in_the_mart():
        # its first build may come before the first failure has: only then is it empty
        [[exists]] = client.query("exists table recovery_daily").result_rows
        if not exists:
            return 0
        return client.query("select sum(failed) from recovery_daily").result_rows[0][0]

    # after a build that a kill broke off, the next comes minutes later (defs/analytics/ringing.py)
    wait_until(failures_in_the_mart, 600, "the mart was not built, or shows no failure")
    with pytest.raises(DatabaseError):
        client.command("insert into recovery_daily select * from recovery_daily")
    with pytest.raises(DatabaseError):
        client.command("drop table recovery_daily")


def test_dagster_answers_and_its_runs_succeed(up):
    def succeeded():
        # the webserver finds the connections that went with the killed Postgres one by one
        with contextlib.suppress(httpx.HTTPError, RuntimeError):
            found = up.graphql(RUNS)["runsOrError"]["results"]
            return {"recover", "analytics"} <= {one["jobName"] for one in found}

    wait_until(succeeded, 600, "recover and analytics have not succeeded")


def test_it_is_small_when_idle(up):
    up.sandbox("POST", "pause")
    found = measure(up)
    print(found.numbers)  # noqa: T201 (shown by `pytest -rP`)
    assert found.numbers["pss_mb"] > 500, "less than the engines alone: not all was measured"
    assert not found.wrong, found


def test_a_killed_supervisor_leaves_nothing_after_down_and_a_signal_stops_everything(up):
    everybody = up.processes()
    assert len(everybody) > len(PARTS)
    organisations = up.query("select org_id from organisations")
    up.kill_supervisor()
    assert up.tinko("down").returncode == 0
    assert not alive(everybody)

    up.start()
    everybody = up.processes()
    assert up.query("select org_id from organisations") == organisations
    assert up.stop() == 0
    assert not alive(everybody)
    assert "stopped" in up.said()
    assert "nothing is running" in up.tinko("down").stdout


def alive(processes):
    return [one for one in processes if one.is_running() and one.status() != "zombie"]
