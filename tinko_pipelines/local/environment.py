"""The environment of every process of the stack, in one place: `up`, `demo` and tests share it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tinko_pipelines.local.layout import Layout
from tinko_pipelines.local.ports import HOST, Ports, variable
from tinko_pipelines.local.postgres import url
from tinko_pipelines.local.s3 import BUCKET
from tinko_pipelines.local.secrets import Secrets

TWILIO_ACCOUNT = "AC" + "0" * 32

# nothing here may call home: only the loopback is used at run time
QUIET = {
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def stack_environment(data_dir: Path, ports: Ports, secrets: Secrets) -> dict[str, str]:
    """The variables that point a process at the stack in `data_dir` (names: deploy/env.example).

    Only what the stack decides; put it over `os.environ` with `child_environment`.
    """
    layout = Layout(Path(data_dir).resolve())
    return {
        **QUIET,
        **_databases(ports, secrets),
        **_stores(ports, secrets),
        **_messages(ports, secrets),
        **{variable(name): str(numbers[0]) for name, numbers in ports.all().items()},
        "TINKO_DATA_DIR": str(layout.data),
        "QUALITY_DOCS_DIR": str(layout.data / "quality"),
        "PUBLIC_URL": f"http://{HOST}:{ports.api}",
        "DAGSTER_URL": f"http://{HOST}:{ports.dagster}",
        "DAGSTER_HOME": str(layout.dagster),
        "DAGSTER_CODE_HOST": HOST,
        "DAGSTER_CODE_PORT": str(ports.dagster_code),
        "SANDBOX_URL": f"http://{HOST}:{ports.sandbox}",
        "SANDBOX_SECRET": secrets.sandbox,
        "SANDBOX_CLOCK_DSN": url(ports.postgres, "tinko_worker", secrets.tinko_worker, "tinko"),
        "JWT_SECRET": secrets.jwt,
        "CREDENTIALS_KEY": secrets.credentials_key,
        "PYTHONUNBUFFERED": "1",
        # every run of Dagster is a new interpreter, which loads our definitions in half the time
        # where bytecode is kept, whatever the shell says
        "PYTHONDONTWRITEBYTECODE": "",
        # a dozen Python processes: fewer malloc arenas keep the idle stack small
        "MALLOC_ARENA_MAX": "2",
    }


def _databases(ports: Ports, secrets: Secrets) -> dict[str, str]:
    settings = {
        "DATABASE_URL": "tinko_app",
        "DATABASE_OWNER_URL": "tinko_owner",
        "DATABASE_WORKER_URL": "tinko_worker",
        "DATABASE_READONLY_URL": "tinko_readonly",
    }
    urls = {
        name: url(ports.postgres, role, secrets.password(role), "tinko")
        for name, role in settings.items()
    }
    # with SQLAlchemy 2.1 a bare `postgresql://` would mean psycopg 3, which dagster-postgres is not
    dagster = url(
        ports.postgres, "tinko_worker", secrets.tinko_worker, "dagster", "postgresql+psycopg2"
    )
    return {**urls, "DAGSTER_POSTGRES_URL": dagster}


def _stores(ports: Ports, secrets: Secrets) -> dict[str, str]:
    writer = f"tinko_writer:{secrets.clickhouse_writer}"
    return {
        "CLICKHOUSE_URL": f"http://{writer}@{HOST}:{ports.clickhouse}/tinko",
        "CHSERVER_WRITER_PASSWORD": secrets.clickhouse_writer,
        "S3_BUCKET": BUCKET,
        "S3_ENDPOINT_URL": f"http://{HOST}:{ports.s3}",
        "S3_ACCESS_KEY": secrets.s3_access_key,
        "S3_SECRET_KEY": secrets.s3_secret_key,
    }


def _messages(ports: Ports, secrets: Secrets) -> dict[str, str]:
    return {
        "SMTP_HOST": HOST,
        "SMTP_PORT": str(ports.smtp),
        "MAIL_URL": f"http://{HOST}:{ports.mail}",
        "TWILIO_ACCOUNT_SID": TWILIO_ACCOUNT,
        "TWILIO_AUTH_TOKEN": secrets.twilio_token,
        "TWILIO_BASE_URL": f"http://{HOST}:{ports.mail}",
        "TWILIO_FROM": "+15005550006",
    }


def child_environment(
    stack: Mapping[str, str], outer: Mapping[str, str] | None = None
) -> dict[str, str]:
    """`stack` over the caller's environment, for a child process.

    What the stack does not decide passes through (a real STRIPE_SECRET_KEY, say). Programs are
    looked up beside this Python first, and a proxy is never asked for the loopback.
    """
    base = dict(os.environ if outer is None else outer)
    path = os.pathsep.join([str(Path(sys.executable).parent), base.get("PATH", os.defpath)])
    bypass = ",".join(filter(None, [base.get("NO_PROXY") or base.get("no_proxy"), HOST]))
    bypass += ",localhost"
    return {**base, **stack, "PATH": path, "NO_PROXY": bypass, "no_proxy": bypass}
