"""A month leaves Postgres, is verified in S3, and comes back as it was."""

import json

import pytest

from tests.integration.archival.stage import RELATIONS, TENANTS, archivist, contents, seed
from tinko_pipelines.core.archival.manifest import manifest_key, prefix
from tinko_pipelines.core.archival.model import ArchiveState, Hold
from tinko_pipelines.core.archival.plan import Action
from tinko_pipelines.core.archival.restore import restore
from tinko_pipelines.core.archival.run import run


@pytest.fixture
def store(s3):
    return s3.store()


def test_a_month_leaves_and_comes_back_byte_for_byte(database, store):
    targets = seed(database)
    before = {name: contents(database, target) for name, target in targets.items()}
    assert all(before.values())
    work = archivist(database, store)
    planned = {one.target: one for one in work.plan() if one.action is Action.ARCHIVE}
    assert set(planned) == set(targets.values())
    assert {planned[targets[name]].rows for name in RELATIONS} == {
        len(one) for one in before.values()
    }
    done = {one.step.target: one for one in run(work) if one.state or one.error}
    assert {one.error for one in done.values()} == {None}
    assert {one.state for one in done.values()} == {ArchiveState.DROPPED}
    for name, target in targets.items():
        assert contents(database, target) == {}
        manifest = json.loads(store.get(manifest_key(target)))
        assert manifest["rows"] == len(before[name])
        assert {one["org_id"] for one in manifest["parts"]} == {str(one.org_id) for one in TENANTS}
        assert set(store.sizes(prefix(target))) == {one["key"] for one in manifest["parts"]}
        restore(work, target)
        assert contents(database, target) == before[name]
    held = {one.target: one for one in work.plan()}
    assert all(Hold.RESTORED in held[target].holds for target in targets.values())
