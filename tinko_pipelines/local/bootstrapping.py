"""Run the demo's bootstrap in a process of its own: its imports are not the supervisor's to carry.

`python -m tinko_pipelines.local.bootstrapping` prints the rows of `bootstrap(environment)` as JSON.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping

from tinko_pipelines.local.layout import ROOT
from tinko_pipelines.local.process import shim

_MODULE = "tinko_pipelines.local.bootstrap"
Rows = list[tuple[str, str]]


def call(environment: Mapping[str, str]) -> Rows:
    """The rows (label, value) that the demo's bootstrap adds to the readiness table.

    Raises RuntimeError with its output when it fails. No rows where there is no such module.
    """
    if importlib.util.find_spec(_MODULE) is None:
        return []
    done = subprocess.run(
        shim([sys.executable, "-m", __name__]),
        env=dict(environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"setting up the demo organisation failed:\n{done.stderr.strip()}")
    return [(str(label), str(value)) for label, value in json.loads(done.stdout)]


def main() -> None:
    # whatever it prints is for people; standard output carries the rows alone
    with contextlib.redirect_stdout(sys.stderr):
        rows = importlib.import_module(_MODULE).bootstrap(dict(os.environ))
    json.dump([list(row) for row in rows], sys.stdout)


if __name__ == "__main__":
    main()
