"""Settings come from the environment, under the names of DESIGN.md section 7.

A malformed value stops the start with one line that names it. Nothing here has a default that
holds a secret; `make up` makes the secrets and passes them on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tinko_pipelines.core.errors import InvalidInput, SettingsError
from tinko_pipelines.core.failures.override_rules import parse_rules_text

# what a value of ANALYTICS_SINK_TYPE means
_SINKS: Mapping[str, tuple[str, ...]] = {
    "clickhouse": ("clickhouse",),
    "s3": ("s3",),
    "both": ("clickhouse", "s3"),
    "none": (),
}


class Settings(BaseSettings):
    """Every setting of the platform. `deploy/env.example` documents each one."""

    model_config = SettingsConfigDict(extra="ignore", case_sensitive=False, frozen=True)

    database_url: str = Field(
        "postgresql://tinko_app@127.0.0.1:5433/tinko", pattern=r"^postgresql(\+psycopg)?://"
    )
    database_owner_url: str = Field(
        "postgresql://tinko_owner@127.0.0.1:5433/tinko", pattern=r"^postgresql(\+psycopg)?://"
    )
    database_worker_url: str = Field(
        "postgresql://tinko_worker@127.0.0.1:5433/tinko", pattern=r"^postgresql(\+psycopg)?://"
    )
    database_readonly_url: str = Field(
        "postgresql://tinko_readonly@127.0.0.1:5433/tinko", pattern=r"^postgresql(\+psycopg)?://"
    )

    clickhouse_url: str = Field("http://127.0.0.1:8123/tinko", pattern=r"^https?://[^/]+")
    s3_bucket: str | None = None
    s3_endpoint_url: str | None = Field(None, pattern=r"^https?://[^/]+")
    s3_access_key: SecretStr | None = None
    s3_secret_key: SecretStr | None = None

    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(1025, ge=1, le=65535)
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_starttls: bool = False
    smtp_from: str = "billing@tinko.local"
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_base_url: str | None = Field(None, pattern=r"^https?://[^/]+")
    twilio_from: str | None = None

    public_url: str = Field("http://127.0.0.1:8000", pattern=r"^https?://[^/]+")
    dagster_url: str = Field("http://127.0.0.1:3000", pattern=r"^https?://[^/]+")
    mail_url: str = Field("http://127.0.0.1:8025", pattern=r"^https?://[^/]+")

    jwt_secret: SecretStr | None = None
    credentials_key: SecretStr | None = None

    stripe_secret_key: SecretStr | None = None
    stripe_webhook_secret: SecretStr | None = None
    razorpay_key_id: str | None = None
    razorpay_key_secret: SecretStr | None = None
    razorpay_webhook_secret: SecretStr | None = None
    stripe_retry_owner: Literal["tinko", "psp"] | None = None
    razorpay_retry_owner: Literal["tinko", "psp"] | None = None
    merchant_country: str | None = None
    merchant_category: str | None = None
    merchant_fresh_notice: bool | None = None

    psp_timeout_seconds: float = Field(20.0, gt=0, le=120)
    retry_budget_per_minute: float = Field(3000.0, gt=0)
    connection_retry_budget_per_minute: float = Field(1500.0, gt=0)
    webhook_max_bytes: int = Field(1_048_576, ge=1024)
    rules_default_max_depth: int = Field(8, ge=1, le=64)
    payment_failure_rules: str | None = None
    guard_limits_file: str | None = None
    ingestion_start: date = date(2024, 1, 1)
    reconciliation_window_days: int = Field(7, ge=1, le=90)
    webhook_silence_hours: int = Field(24, ge=1, le=168)
    partition_retention_days: int = Field(365, ge=31)
    archive_drop_without_store: bool = False
    analytics_sink_type: Literal["clickhouse", "s3", "both", "none"] = "clickhouse"
    quality_docs_dir: str = ".tinko/quality"
    audit_db_url: str | None = None
    rate_limit_rules: str = "300/minute"
    redis_url: str | None = None
    sentry_dsn: SecretStr | None = None
    oauth_google_client_id: str | None = None
    oauth_google_client_secret: SecretStr | None = None

    @property
    def analytics_sinks(self) -> tuple[str, ...]:
        """The stores that ANALYTICS_SINK_TYPE asks for, by the names of the sink's targets."""
        return _SINKS[self.analytics_sink_type]

    @field_validator("payment_failure_rules")
    @classmethod
    def _rules_can_be_read(cls, text: str | None) -> str | None:
        try:
            if text and text.strip():
                parse_rules_text(text)
        except InvalidInput as error:
            raise ValueError(error.detail) from None
        return text


@cache
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises SettingsError, whose one line names each malformed variable and what it must be.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']).upper()}:"
            f" {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors()
        )
        raise SettingsError(f"the environment has malformed settings: {wrong}") from None
