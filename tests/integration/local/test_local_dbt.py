"""dbt-clickhouse, unchanged, against the embedded ClickHouse."""

import json

import clickhouse_connect
import pytest

from tinko_pipelines.core.analytics.clickhouse import ClickHouseAddress
from tinko_pipelines.core.analytics.dbt import DbtProject
from tinko_pipelines.local import probes

FILES = {
    "dbt_project.yml": """
        name: probe
        version: "1.0.0"
        profile: probe
    """,
    "models/source_rows.sql": """
        {{ config(materialized='table') }}
        select number as id, 'x' as label from numbers({{ var('rows') }})
    """,
    "models/carried.sql": """
        {{ config(materialized='incremental', unique_key='id', order_by='id',
                  incremental_strategy='delete+insert') }}
        select id, label from {{ ref('source_rows') }}
        {% if is_incremental() %} where id >= (select max(id) from {{ this }}) {% endif %}
    """,
    "models/counted.sql": """
        {{ config(materialized='view') }} select count() as n from {{ ref('carried') }}
    """,
    "models/schema.yml": """
        models:
          - name: carried
            description: rows that came over
            columns: [{name: id, data_tests: [not_null, unique]}]
    """,
}


@pytest.fixture(scope="module")
def port(serve, free_port, tmp_path_factory):
    found = free_port()
    serve(
        "tinko_pipelines.local.chserver",
        f"--data={tmp_path_factory.mktemp('clickhouse')}",
        f"--port={found}",
        ready=probes.http(found, "/ping"),
        CHSERVER_WRITER_PASSWORD="w",
    )
    return found


@pytest.fixture(scope="module")
def project(port, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dbt")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        lines = text.strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        path.write_text("\n".join(line[indent:] for line in lines) + "\n")
    output = {
        **{"type": "clickhouse", "schema": "tinko", "host": "127.0.0.1", "port": port},
        **{"user": "tinko_writer", "password": "w", "threads": 2},
    }
    # JSON is YAML
    profile = {"probe": {"target": "here", "outputs": {"here": output}}}
    (folder / "profiles.yml").write_text(json.dumps(profile))
    return folder


def build(project, port, rows):
    """In this process: a `dbt` of its own costs seconds of imports each time."""
    address = ClickHouseAddress.parse(f"http://tinko_writer:w@127.0.0.1:{port}/tinko")
    made = DbtProject(address, project, project / "target", {"rows": rows})
    return {one.status for one in made.build()}


def test_models_and_their_tests_build_and_build_again(project, port):
    assert build(project, port, 100) == {"success", "pass"}
    assert build(project, port, 150) == {"success", "pass"}
    with clickhouse_connect.get_client(host="127.0.0.1", port=port, database="tinko") as reader:
        assert reader.command("select n from counted") == 150
        assert reader.command("select uniqExact(id) from carried") == 150
