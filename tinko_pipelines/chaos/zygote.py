"""Fresh worker processes for milliseconds each.

`python -m tinko_pipelines.chaos.zygote` imports what a worker needs, opens nothing, and forks one
worker for each order: a JSON line in, a JSON line out. `Zygote` is the other end of that pipe.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tinko_pipelines.chaos.work import Order, perform
from tinko_pipelines.core.db.queries import QUERIES, load
from tinko_pipelines.core.failures.codetable import default_table
from tinko_pipelines.core.guards.rows import book
from tinko_pipelines.local.layout import ROOT


@dataclass(frozen=True)
class Ended:
    """How a worker ended: killed at `label`, or by itself with what it had done."""

    killed: bool
    label: str | None = None
    done: Mapping[str, Any] = field(default_factory=dict)


class Zygote:
    """`with Zygote(environment) as zygote: zygote.work(order)`. One worker at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tinko_pipelines.chaos.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
            cwd=ROOT,
            text=True,
        )

    def work(self, order: Order) -> Ended:
        """Let a fresh process carry out `order` and wait for its end.

        Raises RuntimeError where it ended in any other way than by its order.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(dataclasses.asdict(order)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the workers' zygote has ended")
        said = json.loads(line)
        if said["signal"] == signal.SIGKILL and said.get("label"):
            return Ended(killed=True, label=said["label"])
        if said["signal"] or "error" in said:
            raise RuntimeError(f"a worker broke off: {said.get('error') or said}")
        return Ended(killed=False, done=said["done"])

    def close(self) -> None:
        """End it; a worker of it has ended already."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _fork(order: Order) -> dict[str, Any]:
    """One worker to its end; its last line on the pipe, and the signal that ended it."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _live(order, theirs)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        lines = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    said: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return said | {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


def _live(order: Order, pipe: int) -> None:
    """The whole life of a worker; nothing of the zygote's is unwound after it."""

    def say(**said: Any) -> None:
        os.write(pipe, (json.dumps(said) + "\n").encode())

    try:
        say(done=perform(order, lambda label: say(label=label)))
    except BaseException:
        say(error=traceback.format_exc())
    finally:
        os._exit(0)


def main() -> int:
    """Orders come on stdin until it is closed."""
    # read once here and not by every worker
    for path in QUERIES.glob("*.sql"):
        load(path.stem)
    book()
    default_table()
    # what the workers print is not for the pipe
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_fork(Order(**json.loads(line)))) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
