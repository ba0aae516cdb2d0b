"""The resources of the code location."""

import dagster as dg

from tinko_pipelines.defs.platform import Platform


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(resources={"platform": Platform()})
