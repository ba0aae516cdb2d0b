"""Great Expectations on one frame: which rows each check refuses.

The library takes five seconds to import and calls home unless told not to: both are seen to here,
and nowhere else is it imported.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from tinko_pipelines.core.quality.suite import Ask, Severity, Suite, filled

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

KEY = "id"
# values of a failed expectation that are told; the rows themselves are in the quarantine
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Unmet:
    """One expectation that does not hold. `rows` is how many it refuses of `of`."""

    expectation: str
    column: str
    rows: int
    of: int
    examples: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a check says of a frame: `refused` are the keys of the rows it does not hold for.

    `skipped` says why it was not asked; `passed` is then True.
    """

    ask: Ask
    unmet: tuple[Unmet, ...] = ()
    refused: frozenset[str] = frozenset()
    rows: int = 0
    skipped: str | None = None

    @property
    def passed(self) -> bool:
        return not self.unmet


@dataclass
class Examined:
    """A frame's answers, and Great Expectations' own result for its page."""

    frame: str
    rows: int
    answers: list[Answer] = field(default_factory=list)
    result: Any = None

    @property
    def refusals(self) -> dict[str, list[str]]:
        """Keys of rows to set aside, each with the `error` checks that refuse it."""
        found: dict[str, list[str]] = {}
        for answer in self.answers:
            if answer.ask.severity is Severity.ERROR:
                for key in sorted(answer.refused):
                    found.setdefault(key, []).append(answer.ask.name)
        return found


@cache
def _library() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx  # noqa: PLC0415

    for name in ("great_expectations", "great_expectations.data_context"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return gx


class Session:
    """One batch's context: it keeps nothing but what the batch's pages are made of."""

    def __init__(self) -> None:
        from great_expectations.data_context.types.base import (  # noqa: PLC0415
            ProgressBarsConfig,
        )

        self.context = _library().get_context(mode="ephemeral")
        self.context.variables.progress_bars = ProgressBarsConfig(
            globally=False, metric_calculations=False
        )
        self._forget_its_site()
        self._source = self.context.data_sources.add_pandas("rows since the last check")
        self._validated = 0

    def _forget_its_site(self) -> None:
        """Each context comes with a site of its own in a folder that nobody would remove."""
        for name, site in dict(self.context.variables.data_docs_sites or {}).items():
            self.context.delete_data_docs_site(name)
            shutil.rmtree(site["store_backend"]["base_directory"], ignore_errors=True)

    def validate(self, name: str, frame: pd.DataFrame, configured: Sequence[Any]) -> Any:
        """Hold a frame against expectations; the result is one page of the batch's."""
        gx = _library()
        self._validated += 1
        suite = self.context.suites.add_or_update(gx.ExpectationSuite(name, list(configured)))
        asset = self._source.add_dataframe_asset(f"{name} {self._validated}")
        definition = self.context.validation_definitions.add(
            gx.ValidationDefinition(
                name=f"{name} {self._validated}",
                data=asset.add_batch_definition_whole_dataframe("batch"),
                suite=suite,
            )
        )
        return definition.run(
            batch_parameters={"dataframe": frame},
            result_format={
                "result_format": "COMPLETE",
                "unexpected_index_column_names": [KEY],
                "partial_unexpected_count": EXAMPLES,
            },
        )


def examine(
    suite: Suite,
    frame: pd.DataFrame,
    parameters: Mapping[str, Any],
    session: Session | None = None,
) -> Examined:
    """Hold `frame`, which has a column `id`, against its suite.

    `parameters` are what the suite cannot know, such as a baseline; a check whose parameter is None
    is skipped. Raises ValueError where an expectation could not be asked at all: that is a fault of
    the suite, and no row's.
    """
    examined = Examined(suite.frame, len(frame))
    asked: list[tuple[Ask, Mapping[str, Any]]] = []
    for ask in suite.asks:
        arguments = [filled(one, parameters) for one in ask.expectations]
        if len(frame) < ask.least_rows:
            why = f"{len(frame)} rows, and it needs {ask.least_rows}"
        elif any(value is None for one in arguments for value in one.values()):
            why = "there is no baseline yet"
        else:
            asked += [(ask, one) for one in arguments]
            continue
        examined.answers.append(Answer(ask, rows=len(frame), skipped=why))
    if asked:
        made = session or Session()
        examined.result = made.validate(suite.frame, frame, _configured(asked))
        examined.answers += _answers(asked, examined.result.results, len(frame))
    return examined


def _configured(asked: Sequence[tuple[Ask, Mapping[str, Any]]]) -> list[Any]:
    configuration = _library().expectations.expectation_configuration.ExpectationConfiguration
    return [
        configuration(
            type=one["type"],
            kwargs=_arguments(one),
            meta={"check": ask.name, "ordinal": number, "notes": ask.says},
        )
        for number, (ask, one) in enumerate(asked)
    ]


def _arguments(one: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in one.items() if name != "type"}
    if "row_condition" in given:
        given["condition_parser"] = "pandas"
    return given


def _answers(
    asked: Sequence[tuple[Ask, Mapping[str, Any]]], results: Sequence[Any], rows: int
) -> Iterator[Answer]:
    by_ask: dict[str, list[Any]] = {}
    for one in results:
        raised = one.exception_info or {}
        if raised.get("raised_exception") or any(
            isinstance(more, Mapping) and more.get("raised_exception") for more in raised.values()
        ):
            raise ValueError(f"{one.expectation_config.meta['check']} cannot be asked: {raised}")
        by_ask.setdefault(one.expectation_config.meta["check"], []).append(one)
    for ask in {ask.name: ask for ask, _ in asked}.values():
        unmet = [one for one in by_ask[ask.name] if not one.success]
        yield Answer(
            ask,
            tuple(_unmet(one, rows) for one in unmet),
            frozenset(key for one in unmet for key in _keys(one)),
            rows,
        )


def _keys(one: Any) -> Iterator[str]:
    for found in one.result.get("unexpected_index_list") or ():
        yield str(found[KEY])


def _unmet(one: Any, rows: int) -> Unmet:
    config, result = one.expectation_config, one.result
    column = config.kwargs.get("column") or (
        f"{config.kwargs.get('column_A')}, {config.kwargs.get('column_B')}"
    )
    examples = result.get("partial_unexpected_list") or []
    shown = ", ".join(str(value) for value in examples[:EXAMPLES])
    if not shown and "observed_value" in result:
        # a divergence from a mix that never held a value is no number
        shown = (
            str(result["observed_value"]) if result["observed_value"] is not None else "infinite"
        )
    return Unmet(
        config.type,
        column,
        int(result.get("unexpected_count") or 0),
        int(result.get("element_count") or rows),
        shown,
    )
