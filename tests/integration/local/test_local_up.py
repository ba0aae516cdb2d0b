"""`tinko up` itself, with two of its real parts."""

import os
import signal
import smtplib
import subprocess
import sys
from email.message import EmailMessage

import httpx
import psycopg
import pytest

from tests.integration.local.servers import running, wait_until
from tinko_pipelines.local import postgres, process, secrets
from tinko_pipelines.local.layout import ROOT, Layout
from tinko_pipelines.local.runfile import RunFile


class Up:
    """`tinko up --only postgres --only mail` on a folder of its own."""

    def __init__(self, data, ports):
        self.layout, self.ports = Layout(data), ports
        variables = {f"TINKO_{name.upper()}_PORT": str(port) for name, port in ports.items()}
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("TINKO_")
        }
        self.env = {**inherited, **variables, "TINKO_DATA_DIR": str(data), "COLUMNS": "160"}
        self.output = data.with_name("up.out")
        self.process = None

    def tinko(self, *arguments):
        argv = [sys.executable, "-m", "tinko_pipelines.cli", *arguments]
        return subprocess.run(
            argv, cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )

    def start(self, **more):
        argv = [sys.executable, "-m", "tinko_pipelines.cli", "up"]
        argv += ["--only", "postgres", "--only", "mail"]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                process.shim(argv), cwd=ROOT, env={**self.env, **more}, stdout=output, stderr=output
            )
        return self

    def ready(self):
        self.start()

        def answered():
            assert self.process.poll() is None, self.output.read_text()
            return "Ready after" in self.output.read_text()

        wait_until(answered, 120, "tinko up")
        return self

    def pids(self):
        return [one.pid for one in RunFile.read(self.layout.run_file).children.values()]

    def connect(self):
        password = secrets.load_or_create(self.layout.secrets).tinko_owner
        url = postgres.url(self.ports["postgres"], "tinko_owner", password, "tinko")
        return psycopg.connect(url, autocommit=True)


@pytest.fixture
def stack(tmp_path, free_port):
    ports = {name: free_port() for name in ("postgres", "mail", "smtp")}
    made = Up(tmp_path / "data", ports)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()
    made.tinko("down")


def test_it_migrates_keeps_its_data_and_leaves_nothing_running(stack):
    stack.ready()
    with stack.connect() as owner:
        assert owner.execute("select count(*) from alembic_version").fetchone() == (1,)
        owner.execute("create table kept as select 42 as answer")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@b.test", "c@d.test", "kept"
    message.set_content("x")
    with smtplib.SMTP("127.0.0.1", stack.ports["smtp"]) as client:
        client.send_message(message)
    first = stack.pids()
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(60) == 0
    assert not [pid for pid in first if running(pid)]

    stack.ready()
    crashed = stack.pids()
    stack.process.kill()
    stack.process.wait()

    stack.ready()
    assert not [pid for pid in crashed if running(pid)]
    with stack.connect() as owner:
        assert owner.execute("select answer from kept").fetchone() == (42,)
    kept = httpx.get(f"http://127.0.0.1:{stack.ports['mail']}/api/messages").json()
    assert [one["subject"] for one in kept] == ["kept"]
    assert stack.tinko("down").returncode == 0
    assert stack.process.wait(60) == 0


def test_a_malformed_setting_stops_the_start_with_one_line(stack):
    stack.start(RECONCILIATION_WINDOW_DAYS="many")
    assert stack.process.wait(60) == 1
    said = stack.output.read_text()
    assert "RECONCILIATION_WINDOW_DAYS" in said
    assert len(said.strip().splitlines()) == 1
    assert not (stack.layout.data / "logs").exists()


def test_doctor_says_what_to_do_when_nothing_runs(stack):
    done = stack.tinko("doctor")
    assert done.returncode == 1
    assert "run `make up`" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_migrations_and_models_agree(stack):
    done = stack.tinko("db", "check")
    assert done.returncode == 0, done.stderr
    assert "agree" in done.stdout
