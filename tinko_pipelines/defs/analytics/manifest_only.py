"""dagster-dbt as where dbt-core is not installed: all that it makes assets of is the manifest.

Importing it beside dbt-core loads the whole of dbt, a quarter of what each run takes to load our
definitions. We never build through it: dbt runs in `core/analytics/dbt.py`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

# what dagster_dbt.compat looks for
_SIGN = "dbt.version"


def _load() -> ModuleType:
    """The package; as it is where somebody has loaded it, or dbt, before."""
    if "dagster_dbt" in sys.modules or _SIGN in sys.modules:
        return importlib.import_module("dagster_dbt")
    sys.modules[_SIGN] = None  # type: ignore[assignment]  # an import of it fails
    try:
        return importlib.import_module("dagster_dbt")
    finally:
        del sys.modules[_SIGN]


_dagster_dbt = _load()
DagsterDbtTranslator = _dagster_dbt.DagsterDbtTranslator
dbt_assets = _dagster_dbt.dbt_assets
