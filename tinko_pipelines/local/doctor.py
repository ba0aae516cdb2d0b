"""`tinko doctor`: look at every part and say what to fix."""

from __future__ import annotations

import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import psycopg
from alembic.script import ScriptDirectory
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.settings import Settings, get_settings
from tinko_pipelines.local import ports, postgres, probes, s3
from tinko_pipelines.local.layout import ROOT
from tinko_pipelines.local.migrate import alembic_config
from tinko_pipelines.local.parts import PARTS
from tinko_pipelines.local.runfile import is_locked
from tinko_pipelines.local.stack import Stack

_FREE_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `fix` says what to do where it is not `ok`."""

    what: str
    ok: bool
    detail: str
    fix: str = ""


Check = Callable[[Stack], Finding]


def examine(stack: Stack) -> Iterator[Finding]:
    """Every finding, those that explain others first."""
    for check in (_python, _settings, _programs, _disk, _secrets):
        yield check(stack)
    if is_locked(stack.layout.lock_file):
        yield from _parts(stack)
        yield from (check(stack) for check in (_postgres_schema, _bucket))
    else:
        yield Finding("stack", False, f"nothing runs in {stack.layout.data}", "run `make up`")
        yield _ports(stack)


def _python(stack: Stack) -> Finding:
    version = sys.version.split()[0]
    good = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding("python", good, version, "use Python 3.11, 3.12 or 3.13 and `make install`")


def _settings(stack: Stack) -> Finding:
    try:
        settings: Settings = get_settings()
    except SettingsError as error:
        return Finding("settings", False, error.detail, "correct the variables it names")
    return Finding("settings", True, f"{len(type(settings).model_fields)} are well formed")


def _programs(stack: Stack) -> Finding:
    try:
        found = [postgres.program("postgres"), s3.program()]
    except RuntimeError as error:
        return Finding("programs", False, str(error), "run `make install`")
    missing = [path for path in found if not Path(path).exists()]
    detail = f"missing: {', '.join(missing)}" if missing else "postgres and weed are installed"
    return Finding("programs", not missing, detail, "run `make install`")


def _disk(stack: Stack) -> Finding:
    free = shutil.disk_usage(stack.layout.data).free
    detail = f"{free / 1024**3:.1f} GiB free for {stack.layout.data}"
    return Finding("disk", free >= _FREE_BYTES, detail, "free at least 2 GiB there")


def _secrets(stack: Stack) -> Finding:
    mode = stat.S_IMODE(stack.layout.secrets.stat().st_mode)
    fix = f"chmod 600 {stack.layout.secrets}"
    return Finding("secrets", mode & 0o077 == 0, f"secrets.json has mode {mode:o}", fix)


def _ports(stack: Stack) -> Finding:
    lines = ports.taken(stack.ports)
    return Finding("ports", not lines, "; ".join(lines) or "all are free", "see the line itself")


def _parts(stack: Stack) -> Iterator[Finding]:
    for part in PARTS:
        if part.name == "dagster-daemon":
            yield _daemon(stack)
            continue
        missing = part.probe(stack)()
        log = stack.layout.log(part.name)
        where = part.address(stack) or "ready"
        yield Finding(part.name, missing is None, missing or where, f"read {_short(log)}")


def _daemon(stack: Stack) -> Finding:
    """The daemon beats every 30 s; a minute and a half without is too long."""
    missing = probes.daemon(stack.superuser_url("dagster"), time.time() - 90)()
    log = stack.layout.log("dagster-daemon")
    detail = missing or "its heartbeat is fresh"
    return Finding("dagster-daemon", missing is None, detail, f"read {_short(log)}")


def _postgres_schema(stack: Stack) -> Finding:

    head = ScriptDirectory.from_config(alembic_config("")).get_current_head()
    try:
        with psycopg.connect(stack.superuser_url("tinko"), connect_timeout=3) as connection:
            row = connection.execute("select version_num from alembic_version").fetchone()
    except psycopg.Error as error:
        return Finding("schema", False, str(error).strip(), "run `tinko db upgrade`")
    found = row[0] if row else None
    detail = f"at {found}, the newest is {head}"
    return Finding("schema", found == head, detail, "run `tinko db upgrade`")


def _bucket(stack: Stack) -> Finding:
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{ports.HOST}:{stack.ports.s3}",
        aws_access_key_id=stack.secrets.s3_access_key,
        aws_secret_access_key=stack.secrets.s3_secret_key,
        region_name="us-east-1",
        config=Config(connect_timeout=3, retries={"max_attempts": 1}),
    )
    try:
        client.head_bucket(Bucket=s3.BUCKET)
    except (ClientError, BotoCoreError) as error:
        return Finding("bucket", False, str(error), "restart the stack: it makes the bucket")
    return Finding("bucket", True, f"{s3.BUCKET} is there")


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
