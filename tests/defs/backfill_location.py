"""A code location of the listings alone, so that a back-fill in a test loads no more."""

import dagster as dg

from tinko_pipelines.defs.ingestion.assets import ingestion
from tinko_pipelines.defs.platform import Platform

defs = dg.Definitions.merge(ingestion(), dg.Definitions(resources={"platform": Platform()}))
