import re
from pathlib import Path

import pytest

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.settings import Settings, get_settings

ENV_EXAMPLE = Path(__file__).resolve().parents[3] / "deploy" / "env.example"


@pytest.fixture(autouse=True)
def fresh():
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_PORT", "mail"),
        ("DATABASE_URL", "mysql://here"),
        ("RECONCILIATION_WINDOW_DAYS", "0"),
        ("ANALYTICS_SINK_TYPE", "snowflake"),
        ("CLICKHOUSE_URL", "localhost:8123"),
    ],
)
def test_a_malformed_value_is_named_in_one_line(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        get_settings()
    assert name in caught.value.detail
    assert "\n" not in caught.value.detail


def test_every_setting_is_documented():
    documented = set(re.findall(r"^#? ?([A-Z0-9_]+)=", ENV_EXAMPLE.read_text(), re.MULTILINE))
    missing = {name.upper() for name in Settings.model_fields} - documented
    assert not missing, f"deploy/env.example does not document {sorted(missing)}"


def test_secrets_do_not_show(monkeypatch):
    monkeypatch.setenv("JWT_SECRET", "hush-hush")
    assert "hush-hush" not in repr(get_settings())
