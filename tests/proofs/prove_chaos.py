"""kill -9 of the executor: at every labelled point for 20 seeds, and 500 times at random."""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from tests.contract.sandbox_server import Sandbox
from tests.proofs.due_world import postgres_of
from tests.proofs.executor_kills import Tally, kill_everywhere, zygote_with
from tests.proofs.harness import Finding, register
from tinko_pipelines.core.recovery.points import LABELS
from tinko_pipelines.core.settings import get_settings
from tinko_pipelines.local import process
from tinko_pipelines.local.layout import ROOT

PROMISES = ("double_charges", "lost_attempts", "stuck", "guard_violations")
_LEAST_LABELS = 12


@register("chaos")
def chaos(seeds: int = 20, kills: int = 500, seed: int = 1) -> Finding:
    """Both, and the sums of what each of them counted."""
    points = at_every_point(range(1, seeds + 1))
    code, line, said = at_random(kills, seed)
    wrong = list(points.wrong)
    if len(LABELS) < _LEAST_LABELS:
        wrong.append(f"there are only {len(LABELS)} points")
    if code or not line.get("met"):
        wrong += [f"tinko chaos, exit {code}: {one}" for one in line.get("wrong") or [said[-1000:]]]
        wrong.append(f"tinko chaos is not met with {line.get('kills')} of {kills} kills")
    # 500 kills take days of the world: nothing of its script may have passed it by
    idle = [name for name, times in line.get("faults", {}).items() if not times]
    wrong += [f"the fault {name} never struck" for name in idle]
    wrong += [
        f"nothing could have broken the limit {name}"
        for name, times in line.get("guard_occasions", {}).items()
        if not times
    ]
    if not line.get("late_successes"):
        wrong.append("no attempt of ours failed first and succeeded late")
    sums = {name: points.numbers[name] + line.get(name, 0) for name in ("kills", *PROMISES)}
    return Finding(wrong, {**sums, "at_points": points.numbers, "at_random": line})


def at_every_point(seeds):
    """Every label for each seed, on a Postgres and a sandbox of its own."""
    key, tally = base64.urlsafe_b64encode(os.urandom(32)).decode(), Tally()
    with tempfile.TemporaryDirectory(prefix="tinko-kills-") as folder, _settings(key):
        sandbox = Sandbox(Path(folder))
        try:
            with postgres_of(days=range(-100, 80, 28)) as server, zygote_with(key) as zygote:
                for seed in seeds:
                    kill_everywhere(server, "tinko", sandbox, zygote, seed, LABELS, tally)
        finally:
            sandbox.close()
    return Finding(tally.wrong, tally.numbers())


def at_random(kills, seed):
    """`tinko chaos` in a process of its own: exit code, its last line, what it said."""
    program = "import sys; from tinko_pipelines.cli import app; app(sys.argv[1:])"
    argv = [sys.executable, "-c", program, "chaos", f"--kills={kills}", f"--seed={seed}"]
    done = subprocess.run(
        process.shim(argv, death_signal=signal.SIGKILL),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().rpartition("\n")[2]
    return done.returncode, json.loads(last) if last.startswith("{") else {}, done.stderr


@contextmanager
def _settings(key):
    """This process's settings, with a key."""
    with mock.patch.dict(os.environ, CREDENTIALS_KEY=key):
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()
