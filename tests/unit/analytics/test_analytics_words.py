"""One vocabulary: what dbt's pages, ClickHouse's comments and the API's tooltips say."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from tests.benchmarks.dashboard import dashboard
from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.dbt import PROJECT, DbtProject
from tinko_pipelines.core.analytics.definitions import definition, definitions
from tinko_pipelines.core.analytics.standing import PLOTTED
from tinko_pipelines.core.analytics.timezones import country_timezones, utc_offsets
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.ledger.states import CaseState
from tinko_pipelines.core.notifications.channels import ChannelName, Result
from tinko_pipelines.core.notifications.outbox import State
from tinko_pipelines.core.recovery.case import Action

# the words of money are checked before they are loaded (core/quality); dbt knows the others
KNOWN = {
    ("stg_decisions", "action"): Action,
    ("stg_outbox", "state"): State,
    ("stg_outbox", "channel"): ChannelName,
    ("stg_notification_deliveries", "result"): Result,
    # a failure that is not classified yet has none
    ("recovery_daily", "category"): (*Category, "unclassified"),
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    nowhere = ClickHouseAddress("127.0.0.1", 9, "nobody", "")
    return json.loads(
        DbtProject(nowhere, target=tmp_path_factory.mktemp("target")).prepare().read_text()
    )


def _models():
    for path in sorted((PROJECT / "models").rglob("*.yml")):
        yield from yaml.safe_load(path.read_text()).get("models", [])


def test_every_model_and_column_is_documented(manifest):
    models = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    assert [name for name, node in models.items() if not node["description"]] == []
    assert [
        f"{name}.{column['name']}"
        for name, node in models.items()
        for column in node["columns"].values()
        if not column["description"].strip()
    ] == []
    selected = {
        name: re.split(r"\bfrom\b", node["raw_code"].rsplit("\nselect", 1)[1])[0]
        for name, node in models.items()
        if name.startswith("stg_")
    }
    for name, columns in selected.items():
        said = {line.strip(" ,").split(" as ")[-1] for line in columns.strip().splitlines()}
        assert said == set(models[name]["columns"]), name


def test_marts_are_exposed_and_say_only_what_is_defined(manifest):
    marts = {path.stem for path in (PROJECT / "models" / "marts").glob("*.sql")}
    exposures = {one["name"]: one for one in manifest["exposures"].values()}
    assert exposures.keys() == {"bi_dashboards", "console"}
    for exposure in exposures.values():
        assert {node.rsplit(".", 1)[1] for node in exposure["depends_on"]["nodes"]} == marts
    for model in _models():
        if model["name"] in marts:
            for column in model["columns"]:
                assert column["description"].startswith("{{ doc("), column
    shown = {panel["description"] for panel in dashboard()["panels"]} - {""}
    assert shown <= set(definitions())


def test_every_mart_shows_a_measure_of_its_own():
    columns = {one["name"]: {column["name"] for column in one["columns"]} for one in _models()}
    marts = {path.stem for path in (PROJECT / "models" / "marts").glob("*.sql")}
    assert marts <= PLOTTED.keys()
    assert all("day" in columns[model] for model in PLOTTED)
    assert all(PLOTTED[model] in columns[model] for model in marts)


def test_a_definition_has_words_and_a_ratio_its_formula():
    rate = definition("recovery_rate")
    assert rate.formula == "sum(recovered) / (sum(recovered) + sum(lost))"
    assert "active cases are in neither" in rate.text
    assert "`" not in rate.text
    assert definition("lost").formula is None
    assert all(one.text for one in definitions().values())


@pytest.mark.parametrize(("place", "words"), KNOWN.items(), ids=str)
def test_the_words_dbt_knows_are_the_houses(place, words):
    model, column = place
    (found,) = [
        test
        for one in _models()
        if one["name"] == model
        for described in one["columns"]
        if described["name"] == column
        for test in described.get("data_tests", [])
        if isinstance(test, dict) and {"is_one_of", "is_classified"} & test.keys()
    ]
    (said,) = found.values()
    assert set(said["arguments"]["values"]) - {""} == set(words)


def test_every_state_of_a_case_comes_to_something():
    sql = (PROJECT / "macros" / "words.sql").read_text()
    ends = dict(
        zip(("recovered", "lost"), re.findall(r"as String\) in \(([^)]*)\)", sql), strict=True)
    )
    named = {name: set(re.findall(r"'(\w+)'", states)) for name, states in ends.items()}
    active = {CaseState.OPEN, CaseState.RETRYING, CaseState.AWAITING_PAYER, CaseState.DISPUTED}
    assert named["recovered"] | named["lost"] | active == set(CaseState)
    assert not named["recovered"] & named["lost"]
    assert not (named["recovered"] | named["lost"]) & active


def test_a_country_of_one_time_has_its_zone_and_a_zone_its_summer():
    zones = dict(country_timezones())
    assert zones["IN"] == "Asia/Kolkata"
    assert "US" not in zones
    berlin = [(since.isoformat(), offset) for zone, since, offset in utc_offsets()
              if zone == "Europe/Berlin" and since.year == 2026]  # fmt: skip
    assert berlin == [("2026-03-29T01:00:00+00:00", 7200), ("2026-10-25T01:00:00+00:00", 3600)]
