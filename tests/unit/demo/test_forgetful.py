"""Runs on an instance that keeps nothing say themselves what came of them."""

import dagster as dg
import pytest

from tinko_pipelines.demo.forgetful import forgetful


@dg.asset(check_specs=[dg.AssetCheckSpec("adds_up", asset="books")])
def books():
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False)])


@dg.asset(deps=[books])
def report(context: dg.AssetExecutionContext):
    context.add_output_metadata({"rows": 3})


@dg.asset
def broken():
    raise ValueError("no books")


def test_a_run_tells_its_checks_and_what_it_made():
    instance = forgetful()
    for _ in range(2):
        result = dg.materialize([books, report], instance=instance)
        (check,) = result.get_asset_check_evaluations()
        assert (check.check_name, check.passed) == ("adds_up", False)
        made = [one.asset_key.path for one in result.get_asset_materialization_events()]
        assert made == [["books"], ["report"]]
    assert instance.get_event_records(dg.EventRecordsFilter(dg.DagsterEventType.STEP_START)) == []


def test_a_failure_is_raised():
    with pytest.raises(ValueError, match="no books"):
        dg.materialize([broken], instance=forgetful())
