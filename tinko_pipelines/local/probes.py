"""Is a part ready? Each probe answers at once, with what is still missing or None."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import psycopg

from tinko_pipelines.local.ports import HOST, Ports

Probe = Callable[[], str | None]
_TIMEOUT = 5.0
# loopback only: a configured proxy must not be asked
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus
    locationOrLoadError { __typename ... on PythonError { message } }
} } } }
"""


def http(port: int, path: str) -> Probe:
    """Ready when `GET path` answers 2xx."""

    def probe() -> str | None:
        try:
            with _OPENER.open(f"http://{HOST}:{port}{path}", timeout=_TIMEOUT):
                return None
        except urllib.error.HTTPError as error:
            return f"{path} answers {error.code}"
        except OSError as error:
            return f"port {port} does not answer ({getattr(error, 'reason', error)})"

    return probe


def object_store(ports: Ports) -> Probe:
    """Ready when the S3 gateway answers and the master knows a server that holds the volumes.

    The gateway alone answers before that: a volume server that misses its first heartbeat comes
    5 seconds later, and until then every object is an InternalError.
    """
    gateway, master = http(ports.s3, "/healthz"), ports.s3_inner()["master.port"]

    def probe() -> str | None:
        if missing := gateway():
            return missing
        try:
            with _OPENER.open(f"http://{HOST}:{master}/dir/status", timeout=_TIMEOUT) as response:
                topology = json.load(response)["Topology"]
        except (OSError, ValueError) as error:
            return f"the master on port {master} does not answer ({error})"
        return None if topology.get("DataCenters") else "no volume server has come yet"

    return probe


def code_server(port: int) -> Probe:
    """Ready when Dagster's gRPC server says that it serves: it has loaded the definitions then, and
    is not somebody else on its port."""

    def probe() -> str | None:
        # a part of a second that only `tinko up` has to pay
        import grpc  # noqa: PLC0415
        from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

        asked = health_pb2.HealthCheckRequest(service="DagsterApi")
        with grpc.insecure_channel(f"{HOST}:{port}", [("grpc.enable_http_proxy", 0)]) as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=_TIMEOUT)
            except grpc.RpcError as error:
                return f"port {port} does not answer ({error.code().name})"
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return None if serving else f"the code server on port {port} does not serve yet"

    return probe


def postgres(dsn: str) -> Probe:
    """Ready when a session can be opened."""

    def probe() -> str | None:
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return str(error).strip().splitlines()[-1]
        return None

    return probe


def daemon(dsn: str, since: float) -> Probe:
    """Ready when the Dagster daemon has left a heartbeat after `since` (epoch seconds)."""

    def probe() -> str | None:
        try:
            with psycopg.connect(dsn, connect_timeout=2) as connection:
                found = connection.execute(
                    "select count(*) from daemon_heartbeats where timestamp > to_timestamp(%s)"
                    " at time zone 'UTC'",
                    (since,),
                ).fetchone()
        except psycopg.Error as error:
            return str(error).strip().splitlines()[0]
        return None if found and found[0] else "no heartbeat yet"

    return probe


def webserver(port: int) -> Probe:
    """Ready when the webserver answers and every code location has loaded.

    A code location that failed to load is named with Dagster's message: it will not get better.
    """

    def probe() -> str | None:
        request = urllib.request.Request(
            f"http://{HOST}:{port}/graphql",
            data=json.dumps({"query": _LOCATIONS}).encode(),
            headers={"content-type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=_TIMEOUT) as response:
                answer = json.load(response)
        except (OSError, ValueError) as error:
            return f"port {port} does not answer ({getattr(error, 'reason', error)})"
        return unloaded(answer["data"]["workspaceOrError"].get("locationEntries", []))

    return probe


def unloaded(entries: list[dict[str, Any]]) -> str | None:
    """What keeps the code locations of a webserver's answer from being loaded, or None."""
    if not entries:
        return "no code location"
    for entry in entries:
        location = entry["locationOrLoadError"] or {}
        if location.get("__typename") == "PythonError":
            return f"code location {entry['name']} failed: {location['message'].strip()}"
        if entry["loadStatus"] != "LOADED":
            return f"code location {entry['name']} is loading"
    return None
