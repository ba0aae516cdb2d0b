"""The benchmark compares like with like: it refuses to run where the two answers differ."""

from tests.benchmarks import bench_backtest
from tests.benchmarks.harness import REGISTRY, run


def test_the_backtest_benchmark_runs_small_and_states_its_goal():
    assert REGISTRY["backtest"] is bench_backtest.backtest_benchmark
    line = run("backtest", 0.002)
    assert (line["rows"], line["goal"]) == (2000, {"ratio_to_best_peer": 50})
    assert 0 < line["changed_failures"] < 2000
    assert min(line["ours"], line["ceiling"], line["peers"]["one_by_one"]) > 0
