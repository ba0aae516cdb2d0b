"""`load`: the code location in a fresh interpreter, as each run of Dagster begins; loads a second.

Ours imports the definitions and resolves the repository, with dbt's manifest written before, as
`make up` does. The ceiling only imports Dagster and its dbt integration's manifest reader, which
whoever has assets of dbt must. The seconds of the slowest load are held against the goal; the
least of CPU that one took tells what is ours and what is a machine busy with other things.
Bytecode is kept, as the stack's processes keep it: the first round, which is not measured, writes
what is missing.
"""

import os
import resource
import subprocess
import sys
import time

from tests.benchmarks.harness import Benchmark, Further, register
from tinko_pipelines.core.analytics import dbt
from tinko_pipelines.local.layout import ROOT

SECONDS = 9.0
OURS = "from tinko_pipelines.definitions import defs; defs().get_repository_def()"
CEILING = "import dagster, tinko_pipelines.defs.analytics.manifest_only"


@register("load")
def load(scale):
    dbt.ensure_manifest()
    took, cpu = [], []

    def ours():
        before = _cpu()
        took.append(_seconds(OURS))
        cpu.append(_cpu() - before)
        return 1 / took[-1]

    yield Benchmark(
        unit="loads/s",
        ours=ours,
        ceiling=lambda: 1 / _seconds(CEILING),
        rounds=5 if scale >= 1 else 1,
        further=lambda: Further(
            {"slowest_seconds": round(max(took[1:]), 2), "cpu_seconds": round(min(cpu[1:]), 2)},
            {"under_9_s": max(took[1:]) < SECONDS},
        ),
    )


def _seconds(code):
    start = time.perf_counter()
    keeping = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=keeping, check=True)
    return time.perf_counter() - start


def _cpu():
    """Seconds of CPU that this process's ended children took."""
    of = resource.getrusage(resource.RUSAGE_CHILDREN)
    return of.ru_utime + of.ru_stime
