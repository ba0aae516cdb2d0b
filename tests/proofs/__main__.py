"""`python -m tests.proofs [NAME …]`: one JSON line per proof, exit 1 when one is not met.

Modules named `prove_*.py` next to this one register the proofs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from tests.proofs.harness import REGISTRY, run


def main() -> None:
    for path in sorted(Path(__file__).parent.glob("prove_*.py")):
        importlib.import_module(f"tests.proofs.{path.stem}")
    parser = argparse.ArgumentParser(prog="python -m tests.proofs")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(sorted(REGISTRY)))
    names = parser.parse_args().names
    if unknown := [name for name in names if name not in REGISTRY]:
        parser.error(f"no proof {', '.join(unknown)}; there are {', '.join(sorted(REGISTRY))}")
    met = True
    for name in names or sorted(REGISTRY):
        line = run(name)
        met = met and line["met"]
        print(json.dumps(line), flush=True)  # noqa: T201
    sys.exit(not met)


if __name__ == "__main__":
    main()
