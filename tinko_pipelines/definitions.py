"""The code location: everything under `defs/` is found and loaded."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    found = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    # of every run, also of one launched by hand and of a back-fill: it takes a batch and starts in
    # seconds, so its steps share one process (DESIGN.md section 6)
    return dg.Definitions.merge(found, dg.Definitions(executor=dg.in_process_executor))
