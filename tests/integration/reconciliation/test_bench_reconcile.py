"""The benchmark compares like with like: it refuses to run where the three counts differ."""

from tests.benchmarks import bench_reconcile
from tests.benchmarks.harness import REGISTRY, run


def test_the_reconcile_benchmark_runs_small_and_states_its_goals():
    assert REGISTRY["reconcile"] is bench_reconcile.reconcile_benchmark
    line = run("reconcile", 0.0004)
    assert line["rows"] == 2000
    assert line["goal"] == {"ratio_to_ceiling": 1 / 1.5, "ratio_to_best_peer": 1.0}
    assert line["differing"] > 0
    assert min(line["ours"], line["ceiling"], line["peers"]["postgres_full_outer_join"]) > 0
