"""The code location: everything under `defs/` is found and loaded."""

from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    found = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    # what is launched by hand, and a back-fill, run as the jobs do: a process for each step would
    # load all of this for each
    return dg.Definitions.merge(found, dg.Definitions(executor=dg.in_process_executor))
