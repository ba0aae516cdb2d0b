"""A code location of the listings alone, so that a back-fill in a test loads no more.

Its runs are in one process, as the graph's own jobs are: each child would load all of it anew.
"""

import dagster as dg

from tinko_pipelines.defs.ingestion.assets import ingestion
from tinko_pipelines.defs.platform import Platform

defs = dg.Definitions.merge(
    ingestion(),
    dg.Definitions(resources={"platform": Platform()}, executor=dg.in_process_executor),
)
