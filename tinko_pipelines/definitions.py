"""The code location: everything under `defs/` is found and loaded."""

import gc
from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    # What is loaded stays. Walking it while it grows took a quarter of a run's start, and walking
    # it again for every few hundred rows of a batch a third of a claim's time.
    gc.disable()
    try:
        found = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    finally:
        gc.freeze()
        gc.enable()
    # of every run, also of one launched by hand and of a back-fill: it takes a batch and starts in
    # seconds, so its steps share one process (DESIGN.md section 6)
    return dg.Definitions.merge(found, dg.Definitions(executor=dg.in_process_executor))
