"""What writers and readers may do, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tinko_pipelines.local.chserver.errors import READONLY, refused

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of user: how many of its queries run at once, and within which limits.

    `limits` are settings a request may lower but not raise; `settings` matches the other ones
    that it may set at all.
    """

    name: str
    concurrency: int
    readonly: bool
    settings: re.Pattern[str]
    limits: Mapping[str, int] = field(default_factory=dict)

    def effective(self, asked: Mapping[str, str]) -> dict[str, str]:
        """The settings a request runs with. Raises EngineError for one it may not set."""
        chosen: dict[str, str] = {name: str(limit) for name, limit in self.limits.items()}
        for name, value in asked.items():
            if name in self.limits:
                if _within(value, self.limits[name]):
                    chosen[name] = value
            elif self.settings.fullmatch(name):
                chosen[name] = value
            else:
                raise refused(
                    READONLY, "READONLY", f"Cannot modify '{name}' setting in readonly mode."
                )
        return chosen


def _within(value: str, limit: int) -> bool:
    # 0 means "no limit" to the engine, so it is never below one
    return value.isdecimal() and 0 < int(value) <= limit


WRITER = Profile(
    "tinko_writer",
    concurrency=4,
    readonly=False,
    settings=re.compile(r"\w+"),
    limits={"max_memory_usage": 1536 * MEBIBYTE},
)
READER = Profile(
    "tinko_reader",
    concurrency=4,
    readonly=True,
    settings=re.compile(
        r"output_format_(?!schema|template)\w+|date_time_\w+|join_use_nulls|extremes|limit|offset"
        r"|max_block_size|max_threads|union_default_mode|use_uncompressed_cache|session_timezone"
        r"|count_distinct_implementation|enable_\w*analyzer|log_comment|empty_result_for_\w+"
    ),
    limits={
        "max_execution_time": 30,
        "max_memory_usage": 768 * MEBIBYTE,
        "max_result_rows": 1_000_000,
        "max_result_bytes": 256 * MEBIBYTE,
        "max_rows_to_read": 500_000_000,
        "max_query_size": MEBIBYTE,
        "max_ast_depth": 1000,
    },
)

# Table functions that only compute or look at tables. Every other one the engine knows reaches
# for files, the network or a string to run as SQL; `readonly` stops most of them, but not s3,
# iceberg or eval.
_PURE = (
    "numbers numbers_mt zeros zeros_mt values sqlstandardvalues generaterandom generateseries "
    "generate_series null merge view viewifpermitted primes format"
)
PURE_TABLE_FUNCTIONS = frozenset(_PURE.split())
# `file` is an ordinary function too, and reads any file of this process
REFUSED_FUNCTIONS = frozenset({"file"})
_AST_FUNCTION = re.compile(r"^\s*(?:Table)?Function (\w+)", re.MULTILINE)


def foreign_functions(ast: str, table_functions: frozenset[str]) -> set[str]:
    """The functions in an `EXPLAIN AST` text that a reader may not call (lower case)."""
    used = {name.lower() for name in _AST_FUNCTION.findall(ast)}
    return used & ((table_functions - PURE_TABLE_FUNCTIONS) | REFUSED_FUNCTIONS)
