"""`python -m tests.benchmarks [NAME …] [--scale X]`: one JSON line per benchmark, exit 0.

Modules named `bench_*.py` next to this one register the benchmarks.
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from tests.benchmarks.harness import REGISTRY, run


def main() -> None:
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        importlib.import_module(f"tests.benchmarks.{path.stem}")
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(sorted(REGISTRY)))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the stated size")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in REGISTRY]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(sorted(REGISTRY))}")
    for name in arguments.names or sorted(REGISTRY):
        print(json.dumps(run(name, arguments.scale)), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
