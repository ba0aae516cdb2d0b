"""What the analytics parts decide without any engine."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinko_pipelines.core.analytics import schema, sink, targets
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.compare import MEASURES, Difference, Group, differences
from tinko_pipelines.core.analytics.dbt import PROJECT, DbtProject
from tinko_pipelines.core.analytics.errors import DbtFailed
from tinko_pipelines.core.analytics.relations import OBLIGATIONS, RELATIONS
from tinko_pipelines.core.db.tables import metadata
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.settings import Settings

NOWHERE = ClickHouseAddress("127.0.0.1", 9, "nobody", "")
GROUP = Group("org", date(2026, 9, 28), "stripe", "USD")


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://127.0.0.1:8123/tinko", ("127.0.0.1", 8123, "default", "", False)),
        ("http://u:p%40ss@ch:1/tinko", ("ch", 1, "u", "p@ss", False)),
        ("https://u:p@cloud.example/tinko", ("cloud.example", 8443, "u", "p", True)),
        ("http://ch", ("ch", 8123, "default", "", False)),
    ],
)
def test_the_url_in_parts(url, parts):
    address = ClickHouseAddress.parse(url)
    assert (address.host, address.port, address.user, address.password, address.secure) == parts


@pytest.mark.parametrize(
    "url", ["ftp://h/tinko", "http://h:x/tinko", "http://h/other", "http:///tinko"]
)
def test_a_wrong_url_is_one_line_that_names_the_setting(url):
    with pytest.raises(SettingsError, match="CLICKHOUSE_URL"):
        ClickHouseAddress.parse(url)


def test_the_password_is_not_shown():
    assert "hidden" not in repr(ClickHouseAddress.parse("http://u:hidden@h/tinko"))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("clickhouse", ("clickhouse",)),
        ("s3", ("s3",)),
        ("both", ("clickhouse", "s3")),
        ("none", ()),
    ],
)
def test_sink_types(kind, names):
    settings = Settings(analytics_sink_type=kind, s3_bucket="lake")
    assert targets.wanted(settings) == names
    assert sink.enabled(settings) is ("clickhouse" in names)


@pytest.mark.parametrize("kind", ["s3", "both"])
def test_a_lake_without_a_bucket_is_refused(kind):
    with pytest.raises(SettingsError, match=f"ANALYTICS_SINK_TYPE: {kind} needs S3_BUCKET"):
        targets.wanted(Settings(analytics_sink_type=kind, s3_bucket=None))


def test_no_target_touches_nothing():
    assert sink.run_wanted(None, None, Settings(analytics_sink_type="none")) == {}


# what a relation says and its table does not have as a column: the currency of a case is its
# debt's; a decision's reasons are one document; the PSPs' ids are unique with their connection's
DERIVED = {
    "cases": {"currency"},
    "decisions": {"reason", "rule", "channel"},
    "settlement_lines": {"id"},
    "payouts": {"id"},
}


def test_every_relation_is_a_table_of_the_ledger_and_its_words_are_commented():
    ddl = "\n".join(statement for version in schema.versions() for statement in version.statements)
    added = dict(re.findall(r"alter table tinko\.(\w+) add column if not exists (\w+)", ddl))
    for relation in RELATIONS:
        columns = set(relation.schema.names)
        known = set(metadata.tables[relation.name].columns.keys())
        assert columns - known == DERIVED.get(relation.name, set())
        body = ddl.split(f"tinko.{relation.name} (")[1].split("\n)\nengine")[0]
        declared = [
            line.split()[0]
            for line in body.splitlines()
            if line.startswith("    ")
            and line[4].isalpha()
            and not line.strip().startswith(("comment", "index"))
        ]
        there = [name for name in relation.schema.names if name != added.get(relation.name)]
        assert declared == [*there, "is_deleted"]
        assert body.count("comment '") == len(declared)


def test_statements_end_at_a_line_and_comments_go():
    sql = "-- one; two;\nselect 'a;b'\n  -- inner;\n, 2;\nselect 3;  \n"
    assert schema.statements(sql) == ("select 'a;b'\n\n, 2", "select 3")


def test_spacing_does_not_change_a_checksum_and_words_do():
    one = schema.Version(1, "a", ("select  1",))
    assert one.checksum == schema.Version(1, "b", ("select\n 1",)).checksum
    assert one.checksum != schema.Version(1, "a", ("select 2",)).checksum


def test_numbers_of_the_ddl_are_unique_and_in_order():
    numbers = [version.number for version in schema.versions()]
    assert numbers == list(range(1, len(numbers) + 1))


AT = datetime(2026, 9, 1, tzinfo=UTC)


def _debts(*pairs: tuple[str, int], due: object = 5) -> pa.Table:
    """Debts by key and version, as a query gives them."""
    rows = [
        (
            "o",
            key,
            "c",
            "stripe",
            "open",
            due,
            0,
            0,
            "USD",
            "",
            False,
            None,
            None,
            None,
            AT,
            AT,
            one,
        )
        for key, one in pairs
    ]
    return pa.table(
        [pa.array(column) for column in zip(*rows, strict=True)], OBLIGATIONS.schema.names
    )


def test_rows_take_their_types_and_wrong_ones_do_not():
    table = OBLIGATIONS.typed(_debts(("a", 1), ("b", 2)))
    assert table.schema == OBLIGATIONS.schema
    assert table["due_minor"].to_pylist() == [5, 5]
    with pytest.raises(pa.ArrowException):
        OBLIGATIONS.typed(_debts(("a", 1), due="five"))
    with pytest.raises(ValueError, match=r"obligations\.due_minor is null"):
        OBLIGATIONS.typed(_debts(("a", 1), due=None))


rows = st.lists(st.tuples(st.uuids().map(str), st.integers(1, 2**62)), min_size=1, unique=True)


@given(rows, st.data())
def test_a_token_names_its_batch(batch, data):
    def token(pairs) -> str:
        return sink.token(OBLIGATIONS, OBLIGATIONS.typed(_debts(*pairs)))

    assert token(batch) == token(batch)
    changed = list(batch)
    position = data.draw(st.integers(0, len(batch) - 1))
    changed[position] = (changed[position][0], changed[position][1] + 1)
    assert token(batch) != token(changed)
    assert token(batch) != token([*batch, (str(position), 1)])


def test_a_token_does_not_depend_on_how_the_rows_lie():
    pairs = [(str(number), number) for number in range(9)]
    table = OBLIGATIONS.typed(_debts(*pairs))
    part = OBLIGATIONS.typed(_debts(*pairs[3:7]))
    assert sink.token(OBLIGATIONS, table.slice(3, 4)) == sink.token(OBLIGATIONS, part)
    in_pieces = pa.concat_tables([table.slice(3, 1), table.slice(4, 3)])
    assert sink.token(OBLIGATIONS, in_pieces) == sink.token(OBLIGATIONS, part)


def test_a_tombstone_and_its_row_have_different_tokens():
    rows = OBLIGATIONS.typed(_debts(("a", 1)))
    assert sink.token(OBLIGATIONS, rows) != sink.token(OBLIGATIONS, _tombstone("a", 1))


def _tombstone(key: str, version: int) -> pa.Table:
    found = pa.table([pa.array([one]) for one in ("o", key, version, 1)], ["a", "b", "c", "d"])
    return OBLIGATIONS.deletions().typed(found)


def _totals(**values: int) -> dict[str, int]:
    return dict.fromkeys(MEASURES, 0) | values


def test_differences_are_found_on_either_side():
    assert differences({GROUP: _totals(failed=2)}, {GROUP: _totals(failed=2)}) == []
    assert differences({GROUP: _totals(failed=2)}, {}) == [Difference(GROUP, "failed", 2, 0)]
    assert differences({}, {GROUP: _totals(recovered_minor=7)}) == [
        Difference(GROUP, "recovered_minor", 0, 7)
    ]
    assert differences({GROUP: _totals(failed=2)}, {}, moved=[GROUP]) == []


def test_a_malformed_project_says_what_is_wrong(tmp_path):
    for name in ("dbt_project.yml", "profiles.yml"):
        (tmp_path / name).write_text((PROJECT / name).read_text())
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "wrong.sql").write_text("select * from {{ ref('nothing') }}")
    with pytest.raises(DbtFailed, match="nothing"):
        DbtProject(NOWHERE, folder=tmp_path, target=tmp_path / "target").prepare()


def test_the_manifest_is_parsed_again_only_when_a_file_is_newer(tmp_path):
    import os
    import shutil

    folder = tmp_path / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("target", "logs"))
    project = DbtProject(NOWHERE, folder=folder)
    path = project.ensure_manifest()
    first = path.stat().st_mtime_ns
    assert project.ensure_manifest().stat().st_mtime_ns == first
    os.utime(folder / "models" / "marts" / "recovery_daily.sql", ns=(first + 10**9, first + 10**9))
    assert project.ensure_manifest().stat().st_mtime_ns != first
