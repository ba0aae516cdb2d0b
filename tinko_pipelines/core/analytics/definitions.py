"""What the numbers mean, in the words of dbt_project/models/definitions.md.

dbt's columns refer to those blocks, so the marts' comments, dbt's pages and the API's tooltips all
say the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tinko_pipelines.core.analytics.dbt import PROJECT

_FILE = PROJECT / "models" / "definitions.md"
_BLOCK = re.compile(r"{% docs (\w+) %}\n(.*?)\n{% enddocs %}", re.DOTALL)
_FORMULA = re.compile(r"^`(.+)`$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Definition:
    """`formula`: of a ratio, in SQL over the columns of its mart; None for what is a column."""

    name: str
    text: str
    formula: str | None = None


@lru_cache(maxsize=1)
def definitions() -> Mapping[str, Definition]:
    """Every definition by its name, in the order of the file."""
    return {name: _read(name, body) for name, body in _BLOCK.findall(_FILE.read_text())}


def definition(name: str) -> Definition:
    """Raises KeyError where nothing of that name is defined."""
    return definitions()[name]


def _read(name: str, body: str) -> Definition:
    formula = _FORMULA.search(body)
    words = " ".join(_FORMULA.sub("", body).split())
    return Definition(name, words, formula[1] if formula else None)
