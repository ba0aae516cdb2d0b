"""The benchmark's world, small: what was built piece by piece is what its rows come to at once."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks import marts_world as world
from tests.benchmarks.bench_marts import asked, build_all
from tinko_pipelines.core.analytics.compare import built_to

AT_ONCE = """
select
    failed.day, count(), sum(due_minor),
    countIf(c.state = 'recovered'), countIf(c.state = 'exhausted')
from (
    select obligation_id, toDate(min(failed_at), 'UTC') as day
    from tinko.failures final group by obligation_id
) as failed
inner join (select id, due_minor from tinko.obligations final) as o on failed.obligation_id = o.id
inner join (select obligation_id, state from tinko.cases final) as c
    on failed.obligation_id = c.obligation_id
group by failed.day order by failed.day
"""
IN_THE_MART = """
select day, sum(failed), sum(failed_minor), sum(recovered), sum(lost)
from tinko.recovery_daily group by day order by day
"""


def test_pieces_and_late_changes_come_to_the_same_as_all_at_once(client, project):
    world.fill(client, 3_000)
    piecemeal = replace(project, variables={"rows_per_build": 2_000})
    assert build_all(piecemeal, client, world.LAST) > 1
    assert client.query(IN_THE_MART).result_rows == client.query(AT_ONCE).result_rows
    world.an_hour(client, 3_000, world.LAST)
    client.command(
        "insert into tinko.cases select * replace ('exhausted' as state, 0 as recovered_minor)"
        f" from tinko.cases final where row_version = {world.LAST}"
    )
    project.build(tests=False)
    assert built_to(client, "recovery_daily") == world.LAST + 1
    found = client.query(IN_THE_MART).result_rows
    assert found == client.query(AT_ONCE).result_rows
    assert sum(row[4] for row in found) > 0
    # whatever the benchmark asks of the world, some organisation has it
    asked_of = [one for number in range(4) for one in asked(world.org(number))]
    found_by = {name for name, sql in asked_of if client.query(sql).result_rows}
    assert found_by == {name for name, _ in asked_of}
