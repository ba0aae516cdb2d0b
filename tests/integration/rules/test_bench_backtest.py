"""The benchmark compares like with like: it refuses to run where the two answers differ."""

from contextlib import contextmanager

from tests.benchmarks import bench_backtest
from tests.benchmarks.backtest_history import write_history
from tests.benchmarks.harness import REGISTRY, run


def test_the_backtest_benchmark_runs_small_and_states_its_goal(monkeypatch, database):
    @contextmanager
    def stored(frame):
        history = write_history(database.server, database.name, frame)
        yield history
        history.app.dispose()

    monkeypatch.setattr(bench_backtest, "stored", stored)
    assert REGISTRY["backtest"] is bench_backtest.backtest_benchmark
    line = run("backtest", 0.002)
    assert (line["rows"], line["goal"]) == (2000, {"ratio_to_best_peer": 50})
    assert 0 < line["changed_failures"] < 2000
    assert min(line["ours"], line["ceiling"], line["peers"]["one_by_one"]) > 0
    assert 0 < line["load_seconds"] <= line["load_and_backtest_seconds"]
