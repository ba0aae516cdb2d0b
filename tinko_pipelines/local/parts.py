"""The parts of the stack, as data, in the order they start."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from tinko_pipelines.local import postgres, probes, process, roles, s3
from tinko_pipelines.local.layout import ROOT
from tinko_pipelines.local.ports import HOST
from tinko_pipelines.local.process import RunAs
from tinko_pipelines.local.stack import Stack


def _nothing(stack: Stack) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Part:
    """One supervised process.

    Parts of one `wave` start together, the next wave when they are all ready; they are stopped
    together too, when those of later waves have ended: none needs another of its wave.
    `before` runs ahead of every start, `after` when it has become ready (both block and may
    raise). `probe` is made anew at each start. `seconds` is how long it may take to be ready.
    """

    name: str
    wave: int
    command: Callable[[Stack], list[str]]
    probe: Callable[[Stack], probes.Probe]
    ports: tuple[str, ...] = ()
    address: Callable[[Stack], str | None] = _nothing
    before: Callable[[Stack], None] = _nothing
    after: Callable[[Stack], None] = _nothing
    run_as: Callable[[Stack], RunAs | None] = _nothing
    extra: Callable[[Stack], dict[str, str]] = lambda stack: {}
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10.0
    seconds: float = 90.0


def _python(module: str, *options: str) -> list[str]:
    return [sys.executable, "-m", module, *options]


def run_tool(stack: Stack, *arguments: str) -> None:
    """Run a `tinko` command to its end in a process of its own, so that its imports end with it."""
    argv = [sys.executable, "-m", "tinko_pipelines.cli", *arguments]
    process.run(argv, env=stack.environment, cwd=ROOT)


def _after_postgres(stack: Stack) -> None:
    passwords = {role: stack.secrets.password(role) for role in roles.LOGIN_ROLES}
    roles.bootstrap(stack.superuser_url(), passwords)
    run_tool(stack, "db", "upgrade", "--only", "postgres")


def _prepare_dagster(stack: Stack) -> None:
    """Dagster's tables made, and no run recorded as going on that cannot be."""
    if not _is_settled(stack.superuser_url("dagster")):
        process.run(_python("tinko_pipelines.local.stale_runs"), env=stack.environment, cwd=ROOT)


def _is_settled(dsn: str) -> bool:
    """Whether the tables are there and no run counts as alive: then the heavy import is saved."""
    with psycopg.connect(dsn) as connection:
        made = connection.execute("select to_regclass('daemon_heartbeats') is not null").fetchone()
        if not made or not made[0]:
            return False
        alive = connection.execute(
            "select 1 from runs where status in ('STARTING', 'STARTED', 'CANCELING') limit 1"
        ).fetchone()
    return alive is None


PARTS: Sequence[Part] = (
    Part(
        name="postgres",
        wave=1,
        ports=("postgres",),
        before=lambda stack: postgres.prepare(stack.layout.postgres, stack.secrets.postgres),
        command=lambda stack: postgres.command(
            stack.layout.postgres, stack.ports.postgres, fsync=stack.durable
        ),
        run_as=lambda stack: postgres.run_as(stack.layout.postgres),
        probe=lambda stack: probes.postgres(stack.superuser_url()),
        after=_after_postgres,
        address=lambda stack: f"postgresql://{HOST}:{stack.ports.postgres}/tinko",
        stop_signal=postgres.STOP_SIGNAL,
        stop_seconds=30.0,
    ),
    Part(
        name="clickhouse",
        wave=1,
        ports=("clickhouse",),
        command=lambda stack: _python(
            "tinko_pipelines.local.chserver",
            f"--data={stack.layout.clickhouse}",
            f"--port={stack.ports.clickhouse}",
        ),
        probe=lambda stack: probes.http(stack.ports.clickhouse, "/ping"),
        after=lambda stack: run_tool(stack, "db", "upgrade", "--only", "clickhouse"),
        address=lambda stack: f"http://{HOST}:{stack.ports.clickhouse} (user tinko_reader)",
    ),
    Part(
        name="s3",
        wave=1,
        ports=("s3",),
        before=lambda stack: stack.layout.s3.mkdir(exist_ok=True),
        command=lambda stack: s3.command(stack.layout.s3, stack.ports),
        extra=lambda stack: s3.environment(
            stack.secrets.s3_access_key, stack.secrets.s3_secret_key
        ),
        probe=lambda stack: probes.object_store(stack.ports),
        address=lambda stack: f"http://{HOST}:{stack.ports.s3}",
    ),
    Part(
        name="mail",
        wave=1,
        ports=("mail", "smtp"),
        command=lambda stack: _python(
            "tinko_pipelines.local.mail",
            f"--data={stack.layout.mail}",
            f"--port={stack.ports.mail}",
            f"--smtp-port={stack.ports.smtp}",
        ),
        probe=lambda stack: probes.http(stack.ports.mail, "/healthz"),
        address=lambda stack: f"http://{HOST}:{stack.ports.mail}",
    ),
    Part(
        name="sandbox",
        wave=2,
        ports=("sandbox",),
        command=lambda stack: _python(
            "tinko_pipelines.sandbox",
            f"--data={stack.layout.sandbox}",
            f"--port={stack.ports.sandbox}",
        ),
        probe=lambda stack: probes.http(stack.ports.sandbox, "/_sandbox/health"),
        address=lambda stack: f"http://{HOST}:{stack.ports.sandbox}",
    ),
    Part(
        name="api",
        wave=3,
        ports=("api",),
        command=lambda stack: _python(
            "uvicorn",
            "api.main:app",
            f"--host={HOST}",
            f"--port={stack.ports.api}",
            "--no-access-log",
            "--timeout-graceful-shutdown=5",
        ),
        probe=lambda stack: probes.http(stack.ports.api, "/healthz"),
        address=lambda stack: f"http://{HOST}:{stack.ports.api}",
    ),
    Part(
        name="dagster-code",
        wave=3,
        ports=("dagster_code",),
        before=_prepare_dagster,
        command=lambda stack: _python(
            *("dagster", "api", "grpc", "--module-name=tinko_pipelines.definitions"),
            *(f"--host={HOST}", f"--port={stack.ports.dagster_code}", "--location-name=tinko"),
            "--use-python-environment-entry-point",
        ),
        probe=lambda stack: probes.code_server(stack.ports.dagster_code),
        # time for a batch to end; it is safe to kill, so no more than that
        stop_seconds=5.0,
        seconds=180.0,
    ),
    Part(
        name="dagster",
        wave=4,
        ports=("dagster",),
        command=lambda stack: _python(
            *("dagster_webserver", f"--host={HOST}", f"--port={stack.ports.dagster}"),
            f"--workspace={ROOT / 'workspace.yaml'}",
        ),
        probe=lambda stack: probes.webserver(stack.ports.dagster),
        stop_seconds=3.0,
        address=lambda stack: f"http://{HOST}:{stack.ports.dagster}",
        seconds=180.0,
    ),
    Part(
        name="dagster-daemon",
        wave=4,
        command=lambda stack: _python(
            "dagster._daemon", "run", f"--workspace={ROOT / 'workspace.yaml'}"
        ),
        probe=lambda stack: probes.daemon(stack.superuser_url("dagster"), time.time()),
        stop_seconds=5.0,
        seconds=180.0,
    ),
)


def choose(names: Sequence[str]) -> list[Part]:
    """The parts of these names in starting order; all of them for no name.

    Raises KeyError naming what is not a part.
    """
    known = {part.name for part in PARTS}
    if unknown := [name for name in names if name not in known]:
        raise KeyError(f"{', '.join(unknown)}: the parts are {', '.join(sorted(known))}")
    return [part for part in PARTS if not names or part.name in names]
