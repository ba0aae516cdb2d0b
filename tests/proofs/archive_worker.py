"""Fresh processes that archive or restore, and die where they are told to.

`python -m tests.proofs.archive_worker` imports what is needed, opens nothing, and forks one worker
for each order: a JSON line in, a JSON line out. `Workers` is the other end of that pipe.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tinko_pipelines.core.archival.archivist import Archivist
from tinko_pipelines.core.archival.model import Target
from tinko_pipelines.core.archival.records import Hand
from tinko_pipelines.core.archival.restore import restore
from tinko_pipelines.core.archival.run import run
from tinko_pipelines.core.archival.store import ArchiveStore
from tinko_pipelines.core.clock import FixedClock
from tinko_pipelines.core.db.engine import make_engine
from tinko_pipelines.core.settings import Settings
from tinko_pipelines.local.layout import ROOT


@dataclass(frozen=True)
class Order:
    """`what` is `run` or `restore`; `targets` are pairs of relation and month. It dies at the
    `nth` time that it passes `die_at`."""

    what: str
    owner: str
    worker: str
    s3: dict
    now: str
    retention_days: int
    targets: list
    die_at: str | None = None
    nth: int = 1


def perform(order, last_words):
    passed, lock = [0], threading.Lock()

    def point(label):
        with lock:
            passed[0] += label == order.die_at
            if label == order.die_at and passed[0] == order.nth:
                last_words(label)
                os.kill(os.getpid(), signal.SIGKILL)

    archivist = Archivist(
        make_engine(order.owner, pooled=False), make_engine(order.worker, pooled=False),
        ArchiveStore.from_settings(Settings(**order.s3)),
        FixedClock(datetime.fromisoformat(order.now)), Hand.of("a proof"), order.retention_days,
        point=point, lock_timeout="500ms",
    )  # fmt: skip
    targets = [Target.parse(*one) for one in order.targets]
    if order.what == "restore":
        return [restore(archivist, one).rows for one in targets]
    return [[one.step.target.relation, one.state, one.error] for one in run(archivist, targets)]


class Workers:
    """`with Workers() as workers: workers.work(order)`: the label it died at, and what it did."""

    def __enter__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.archive_worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(Path(ROOT))},
        )  # fmt: skip
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def work(self, order):
        """Raises RuntimeError where a worker ended in another way than by its order."""
        self._process.stdin.write(json.dumps(dataclasses.asdict(order)) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline())
        if "error" in said:
            raise RuntimeError(said["error"])
        return said.get("label"), said.get("done")


def _fork(order):
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        try:
            done = perform(order, lambda label: _say(theirs, label=label))
            _say(theirs, done=done)
        except BaseException:
            _say(theirs, error=traceback.format_exc())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        lines = pipe.read().splitlines()
    os.waitpid(child, 0)
    return json.loads(lines[-1]) if lines else {"error": "a worker said nothing"}


def _say(pipe, **said):
    os.write(pipe, (json.dumps(said) + "\n").encode())


def main():
    import boto3

    # its model of S3 is read once here and not by every worker
    boto3.client("s3", region_name="us-east-1")

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_fork(Order(**json.loads(line)))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
