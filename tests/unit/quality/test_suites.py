"""Suites and screens as data: well-formed, each name once, and no property twice."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tests.proofs.plantings import BEFORE_THE_LOAD
from tests.proofs.store_plantings import IN_THE_STORE
from tinko_pipelines.core.errors import SettingsError
from tinko_pipelines.core.failures.taxonomy import Category
from tinko_pipelines.core.ingestion.frames import PAYOUTS
from tinko_pipelines.core.quality import suite as reading
from tinko_pipelines.core.quality.admission import EDGE
from tinko_pipelines.core.quality.baseline import mix
from tinko_pipelines.core.quality.batch import too_many
from tinko_pipelines.core.quality.model import (
    POISON,
    SOURCES,
    STATES,
    Poison,
    QuarantineState,
    Source,
)
from tinko_pipelines.core.quality.report import table
from tinko_pipelines.core.quality.screen import conditions, screened
from tinko_pipelines.core.quality.stores import Gap, gaps
from tinko_pipelines.core.quality.suite import Severity, suite, suites

NOW = datetime(2026, 9, 28, tzinfo=UTC)


def asks():
    return [ask for one in suites() for ask in one.asks]


def names():
    screens = [one.name for rows in conditions().values() for one in rows]
    return [*EDGE, *Poison, *screens, *(ask.name for ask in asks())]


def test_every_check_has_one_name_and_a_sentence():
    assert [name for name, count in Counter(names()).items() if count > 1] == []
    assert all(ask.says and ask.expectations for ask in asks())


def test_every_member_is_labelled():
    assert (set(SOURCES), set(STATES), set(POISON)) == (
        set(Source), set(QuarantineState), set(Poison),
    )  # fmt: skip


def test_every_check_that_sets_rows_aside_has_a_row_planted_for_it():
    owned = {one.owner for one in BEFORE_THE_LOAD}
    warnings = {ask.name for ask in asks() if ask.severity is Severity.WARN}
    unplanted = set(names()) - owned - warnings
    # these two need a PSP that answers, or a ledger that refuses; tests/integration/inbox has them
    assert unplanted == {Poison.UNKNOWN_AT_PSP, Poison.UNWRITABLE}
    assert len({one.name for one in (*BEFORE_THE_LOAD, *IN_THE_STORE)}) >= 30


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frame: other\nasks: []", "it is of other"),
        ("frame: attempts\nasks: [{name: a, severity: fatal, says: b, expect: []}]", "fatal"),
        ("frame: attempts\nasks: [{name: a, severty: warn}]", "severty"),
        ("frame: attempts\nasks: [{name: a, severity: warn, says: b,"
         " expect: [{type: t, value_set: {words: nobody}}]}]", "nobody"),
    ],
)  # fmt: skip
def test_a_malformed_suite_is_named(monkeypatch, tmp_path, text, said):
    (tmp_path / "attempts.yaml").write_text(text)
    monkeypatch.setattr(reading, "FOLDER", tmp_path)
    with pytest.raises(SettingsError, match=said):
        suite.__wrapped__("attempts")


def test_a_screen_lets_good_rows_pass_and_names_all_that_a_bad_one_fails():
    good = dict.fromkeys(PAYOUTS) | {
        "payout_id": "po_1", "currency": "EUR", "created_at": NOW, "amount_minor": 1,
    }  # fmt: skip
    bad = good | {"payout_id": "po_2", "currency": "EURO", "created_at": NOW + timedelta(days=2)}
    frame = pl.from_dicts([good, bad], schema=PAYOUTS)
    passed, refused = screened("payouts", frame, NOW)
    assert passed["payout_id"].to_list() == ["po_1"]
    ((row, refusal),) = refused
    assert (row["payout_id"], refusal.reasons) == ("po_2", ("payout_currency", "payout_time"))
    nothing, none = screened("payouts", frame.clear(), NOW)
    assert (nothing.height, none) == (0, [])


def test_a_baseline_needs_failures_and_gives_every_category_a_chance():
    assert mix({Category.UNKNOWN: 199}) is None
    assert mix({"no_category": 10_000}) is None
    found = mix({Category.INSUFFICIENT_FUNDS: 300, "no_category": 1})
    assert found["values"] == [str(one) for one in Category]
    assert sum(found["weights"]) == pytest.approx(1)
    assert min(found["weights"]) > 0


@pytest.mark.parametrize(
    ("refused", "rows", "stops"),
    [(20, 20, False), (21, 21, True), (21, 420, False), (22, 420, True), (0, 0, False)],
)
def test_many_refused_rows_speak_of_a_fault_of_ours(refused, rows, stops):
    assert too_many(refused, rows) is stops


def test_counts_of_two_stores_may_differ_by_what_moves():
    wanted = {("attempts", "a"): (5, 7), ("cases", "a"): (2, 2)}
    assert gaps(wanted, {("attempts", "a"): 6, ("cases", "a"): 2}) == []
    lost, extra = gaps(wanted, {("attempts", "a"): 4, ("cases", "a"): 2, ("cases", "b"): 1})
    assert (lost, lost.lost) == (Gap("attempts", "a", 5, 7, 4), True)
    assert (extra, extra.lost) == (Gap("cases", "b", 0, 0, 1), False)


def test_what_stands_in_a_cell_cannot_break_its_table():
    assert table(("a",), [("x | y\nz",)]).splitlines() == ["| a |", "| --- |", "| x \\| y z |"]
