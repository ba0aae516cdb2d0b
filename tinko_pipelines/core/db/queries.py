"""Named SQL: `sql/queries/<feature>.sql`, each query headed by `-- name: …`.

The lines that follow the name say the query's purpose, its parameters and the index it intends.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from sqlalchemy import TextClause, text

QUERIES = Path(__file__).resolve().parents[3] / "sql" / "queries"
_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def load(feature: str) -> dict[str, TextClause]:
    """All queries of `feature` by name. Raises FileNotFoundError, or ValueError on a name twice."""
    parts = _NAME.split((QUERIES / f"{feature}.sql").read_text())[1:]
    found: dict[str, TextClause] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in found:
            raise ValueError(f"{feature}.sql names {name} twice")
        found[name] = text(body)
    return found


def query(feature: str, name: str) -> TextClause:
    """One query. Raises KeyError that names the file when there is none of that name."""
    try:
        return load(feature)[name]
    except KeyError:
        raise KeyError(f"sql/queries/{feature}.sql has no query named {name}") from None
