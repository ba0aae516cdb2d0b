"""Ports, secrets and the environment that the stack gives its children."""

import re
import socket
import stat
from dataclasses import fields

import pytest
from pydantic import SecretStr

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.local import environment, ports, secrets, traffic
from tinko_pipelines.local.layout import ROOT
from tinko_pipelines.local.ports import Ports, PortTaken

DOCUMENTED = set(
    re.findall(r"^([A-Z0-9_]+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE)
)


@pytest.fixture
def stack(tmp_path):
    return environment.stack_environment(tmp_path, Ports(), secrets.fresh())


def test_every_setting_and_every_variable_of_the_stack_is_documented(stack):
    settings = {name.upper() for name in Settings.model_fields}
    moved = {ports.variable(item.name) for item in fields(Ports)}
    assert (settings | moved | set(stack)) - DOCUMENTED == set()


def test_what_is_documented_is_read_by_something(stack):
    settings = {name.upper() for name in Settings.model_fields}
    ours = {ports.variable(item.name) for item in fields(Ports)} | {"CHSERVER_READER_PASSWORD"}
    ours |= set(traffic.VARIABLES)
    assert DOCUMENTED - settings - set(stack) - ours == set()


def test_the_stacks_environment_makes_valid_settings(stack, monkeypatch):
    for name, value in stack.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.clickhouse_url.endswith("@127.0.0.1:8123/tinko")
    assert settings.database_url.startswith("postgresql://tinko_app:")
    assert isinstance(settings.jwt_secret, SecretStr)


def test_a_moved_port_reaches_every_address_built_from_it(tmp_path):
    moved = Ports.from_environment({"TINKO_POSTGRES_PORT": "18555", "TINKO_MAIL_PORT": " 18556 "})
    built = environment.stack_environment(tmp_path, moved, secrets.fresh())
    with_postgres = {name for name, value in built.items() if ":18555/" in value}
    assert {"DATABASE_URL", "DAGSTER_POSTGRES_URL", "SANDBOX_CLOCK_DSN"} <= with_postgres
    assert not [name for name, value in built.items() if ":5433" in value]
    assert built["MAIL_URL"] == built["TWILIO_BASE_URL"] == "http://127.0.0.1:18556"


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1", "80.5"])
def test_a_malformed_port_is_named(value):
    with pytest.raises(SettingsError, match="TINKO_API_PORT"):
        Ports.from_environment({"TINKO_API_PORT": value})


def test_the_demos_traffic_is_changed_by_what_is_set_alone():
    made = traffic.Traffic.from_environment({"TINKO_DEMO_RATE": "720", "TINKO_DEMO_DAYS": ""})
    assert (made.rate, made.days) == (720, traffic.Traffic().days)


@pytest.mark.parametrize("value", ["fast", "0", "100001", "-1", "1.5"])
def test_a_malformed_traffic_is_named(value):
    with pytest.raises(SettingsError, match="TINKO_DEMO_RATE"):
        traffic.Traffic.from_environment({"TINKO_DEMO_RATE": value})


def test_a_taken_port_is_named_with_its_variable():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"port {port} \(mail\).*TINKO_MAIL_PORT"):
            ports.require_free(Ports(mail=port), ["mail"])


def test_s3_claims_its_inner_ports_too():
    inner = Ports(s3=18300).s3_inner()
    assert len(set(inner.values())) == len(inner)
    assert set(inner.values()) <= set(Ports(s3=18300).all()["s3"])
    assert inner["admin.port.grpc"] == inner["admin.port"] + 10_000


def test_secrets_are_made_once_and_private(tmp_path):
    path = tmp_path / "secrets.json"
    first = secrets.load_or_create(path)
    assert secrets.load_or_create(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    values = [getattr(first, item.name) for item in fields(first)]
    assert len(set(values)) == len(values)


def test_a_secret_that_is_new_is_added_without_touching_the_others(tmp_path):
    path = tmp_path / "secrets.json"
    path.write_text('{"postgres": "kept"}')
    assert secrets.load_or_create(path).postgres == "kept"
    assert secrets.load_or_create(path) == secrets.load_or_create(path)


def test_a_proxy_is_never_asked_for_the_loopback(stack):
    outer = {"NO_PROXY": "example.com", "PATH": "/bin", "STRIPE_SECRET_KEY": "sk_x"}
    child = environment.child_environment(stack, outer)
    assert child["NO_PROXY"].split(",") == ["example.com", "127.0.0.1", "localhost"]
    assert child["STRIPE_SECRET_KEY"] == "sk_x"
