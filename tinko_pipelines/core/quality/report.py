"""What failed and what is held, as markdown tables for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinko_pipelines.core.quality.expectations import Answer

MOST = 50
WIDTH = 120


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A markdown table; what is in a cell cannot break it."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def unmet_table(answer: Answer) -> str:
    """The failed expectations of a check, and the first rows they refuse."""
    if answer.passed:
        return f"{answer.ask.says}: {answer.skipped or 'holds'}."
    failed = table(
        ("expectation", "column", "refused", "of", "such as"),
        ((one.expectation, one.column, one.rows, one.of, one.examples) for one in answer.unmet),
    )
    keys = sorted(answer.refused)[:MOST]
    return "\n\n".join([failed, table(("row",), ((key,) for key in keys))] if keys else [failed])


def counts_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Entries of the quarantine by the check that holds them."""
    names = ("state", "source", "frame", "reason", "entries", "oldest")
    return table(names, ([row[name] for name in names] for row in rows))


def entries_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Entries of the quarantine, one a line."""
    names = ("id", "source", "frame", "key", "reasons", "times", "first_seen", "detail")
    return table(
        names,
        (
            [", ".join(row[name]) if name == "reasons" else row[name] for name in names]
            for row in rows
        ),
    )


def _cell(value: Any) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
