"""dbt-clickhouse, unchanged, against the embedded ClickHouse."""

import json
import os
import subprocess
import sys
from pathlib import Path

import clickhouse_connect
import pytest

from tinko_pipelines.local import probes
from tinko_pipelines.local.environment import QUIET

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
        **{"type": "clickhouse", "schema": "marts", "host": "127.0.0.1", "port": port},
        **{"user": "tinko_writer", "password": "w", "threads": 2},
    }
    # JSON is YAML
    profile = {"probe": {"target": "here", "outputs": {"here": output}}}
    (folder / "profiles.yml").write_text(json.dumps(profile))
    return folder


def build(project, rows):
    dbt = Path(sys.executable).with_name("dbt")
    done = subprocess.run(
        [dbt, "build", "--profiles-dir", ".", "--vars", json.dumps({"rows": rows})],
        cwd=project,
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    return {one["status"] for one in results}


def test_models_and_their_tests_build_and_build_again(project, port):
    assert build(project, 100) == {"success", "pass"}
    assert build(project, 150) == {"success", "pass"}
    with clickhouse_connect.get_client(host="127.0.0.1", port=port, database="marts") as reader:
        assert reader.command("select n from counted") == 150
        assert reader.command("select uniqExact(id) from carried") == 150
