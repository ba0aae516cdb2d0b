"""`tinko demo` passes, for every seed, and one seed gives the same counts twice."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from signal import SIGKILL
from typing import Any

from tests.proofs.harness import Finding, register
from tinko_pipelines.local import process
from tinko_pipelines.local.layout import ROOT, open_folder

# what the issue lists for the last line
MEMBERS = frozenset(
    {"obligations", "events_received", "events_stored", "duplicates", "failures", "unclassified"}
    | {"unknown", "cases", "attempts_by_actor", "recovered_by", "recovered", "recovered_minor"}
    | {"exhausted", "awaiting_payer", "double_charges", "lost_events", "clickhouse_rows"}
    | {"mart_matches_ledger", "truth", "seconds"}
    # where recoveries' money is, the three books, the month in S3, the rows against their suites
    | {"settled", "explained", "unexplained", "open_findings", "ledger_is_matched_plus_findings"}
    | {"archived", "archive_queried_rows", "archive_is_what_the_ledger_had", "archived_rows_left"}
    | {"failed_checks", "warned_checks"}
)
MOST_SECONDS = 360  # of one demo of 2,000 obligations over 21 days, on 2 cores
# of the machine, or of how the work fell into runs, and not of the world
_OF_THE_RUN = frozenset({"seconds", "runs"})
_PROGRAM = (
    "import sys; from pathlib import Path; from tinko_pipelines.demo import run;"
    " sys.exit(run(*map(int, sys.argv[1:4]), data=Path(sys.argv[4])))"
)


@register("demo")
def demo(
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5, 6),
    repeats: int = 1,
    obligations: int = 2000,
    days: int = 21,
) -> Finding:
    """The first seed is played again so many times with equal counts, the others once, all with
    exit 0."""
    wrong: list[str] = []
    seconds: list[float] = []
    first: dict[str, Any] = {}
    for run, seed in enumerate((*seeds[:1] * repeats, *seeds)):
        began = time.monotonic()
        code, line, said = play(seed, obligations, days)
        seconds.append(round(time.monotonic() - began, 1))
        missing = MEMBERS - set(line)
        if code or missing:
            what = f"exit {code}, without {sorted(missing)}" if missing else f"exit {code}"
            wrong.append(f"seed {seed}: {what}: {line.get('wrong') or said[-1000:]}")
        counts = {name: value for name, value in line.items() if name not in _OF_THE_RUN}
        if run == 0:
            first = counts
        elif run <= repeats and (parts := sorted(n for n in first if first[n] != counts.get(n))):
            wrong.append(f"seed {seed} gave other counts the second time: {', '.join(parts)}")
    numbers = {"seconds_each": seconds, "longest_seconds": max(seconds)}
    return Finding(wrong, numbers, {"longest_seconds": MOST_SECONDS})


def play(seed: int, obligations: int, days: int) -> tuple[int, dict[str, Any], str]:
    """One demo in a process and a folder of its own: exit code, its last line, what it said."""
    with open_folder("tinko-demo-") as folder:
        arguments = (str(seed), str(obligations), str(days), str(folder / "demo"))
        # its parts end with it, and it with this process
        argv = process.shim([sys.executable, "-c", _PROGRAM, *arguments], death_signal=SIGKILL)
        done = subprocess.run(
            argv,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    last = done.stdout.strip().rpartition("\n")[2]
    try:
        line = json.loads(last)
    except ValueError:
        line = {}
    return done.returncode, line if isinstance(line, dict) else {}, done.stderr
