"""The record of what runs, and small decisions around it."""

import os

import pytest

from tinko_pipelines.local import parts, probes, roles
from tinko_pipelines.local.runfile import AlreadyRunning, Identity, RunFile, only_one


def test_a_process_is_told_from_a_later_one_with_its_pid():
    me = Identity.of(os.getpid())
    assert me is not None
    assert me.alive()
    assert not Identity(me.pid, me.started - 60).alive()


def test_the_record_survives_being_written_and_read(tmp_path):
    record = RunFile(tmp_path / "run.json", Identity(1, 2.5))
    record.record("self", os.getpid())
    again = RunFile.read(tmp_path / "run.json")
    assert again.supervisor == Identity(1, 2.5)
    assert again.children == record.children != {}


@pytest.mark.parametrize("text", ["", "{", '{"supervisor": null}', '{"children": [1]}'])
def test_a_torn_record_reads_as_an_empty_one(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    assert RunFile.read(path).children == {}


def test_a_pid_that_is_anothers_by_now_is_left_alone(tmp_path):
    record = RunFile(tmp_path / "run.json")
    record.children["api"] = Identity(os.getpid(), 1.0)
    assert record.leftovers() == {}


def test_only_one_supervisor_holds_a_stack(tmp_path):
    lock, record = tmp_path / "up.lock", tmp_path / "run.json"
    with (
        only_one(lock, record),
        pytest.raises(AlreadyRunning, match="running already"),
        only_one(lock, record),
    ):
        pass
    with only_one(lock, record):
        pass


def test_an_unknown_part_is_named_with_the_known_ones():
    with pytest.raises(KeyError, match=r"nope: the parts are api, clickhouse"):
        parts.choose(["nope"])


def test_parts_start_in_the_order_they_depend_on_each_other():
    waves = {part.name: part.wave for part in parts.PARTS}
    assert [part.wave for part in parts.PARTS] == sorted(waves.values())
    assert waves["postgres"] < waves["sandbox"] < waves["api"]
    assert waves["postgres"] < waves["dagster-code"] < waves["dagster"] <= waves["dagster-daemon"]


@pytest.mark.parametrize(
    ("entries", "missing"),
    [
        ([], "no code location"),
        ([{"name": "t", "loadStatus": "LOADING", "locationOrLoadError": None}], "t is loading"),
        (
            [
                {
                    "name": "t",
                    "loadStatus": "LOADED",
                    "locationOrLoadError": {"__typename": "PythonError", "message": "boom\n"},
                }
            ],
            "t failed: boom",
        ),
    ],
)
def test_a_code_location_that_is_not_loaded_is_named(entries, missing):
    assert missing in (probes.unloaded(entries) or "")


def test_loaded_code_locations_are_ready():
    loaded = {"__typename": "RepositoryLocation"}
    entry = {"name": "t", "loadStatus": "LOADED", "locationOrLoadError": loaded}
    assert probes.unloaded([entry]) is None


def test_the_file_of_roles_splits_into_its_statements():
    found = roles.statements(roles.ROLES_SQL.read_text())
    assert sum("create database" in one for one in found) == 2
    assert found[0].endswith("$$")
    assert all(";\n\n" not in one for one in found)
