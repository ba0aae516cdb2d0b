import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
KEYS = {"bench", "unit", "ours", "peers", "ceiling"} | {
    "ratio_to_ceiling",
    "ratio_to_best_peer",
    "goal",
    "met",
}


@pytest.fixture
def harness(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from tests.benchmarks import harness

    monkeypatch.setattr(harness, "REGISTRY", {})
    return harness


def add(harness, ours, ceiling, order=None, **more):
    """Register a benchmark whose contenders return the given rates, one after the other."""

    def contender(name, rates):
        values = iter([0, *rates])  # the first round only warms up

        def rate():
            if order is not None:
                order.append(name)
            return next(values)

        return rate

    peers = {name: contender(name, rates) for name, rates in more.pop("peers", {}).items()}

    @harness.register("toy")
    def toy(scale):
        yield harness.Benchmark(
            unit="things/s",
            ours=contender("ours", ours),
            ceiling=contender("ceiling", ceiling),
            peers=peers,
            rounds=len(ours),
            **more,
        )


def test_medians_ratios_and_goals(harness):
    order = []
    add(
        harness,
        [50, 1, 60, 55, 900],
        [100, 110, 90, 1, 500],
        order,
        peers={"slow": [1, 1, 1, 1, 1], "best": [5, 5, 5, 5, 5]},
        ratio_to_ceiling=0.5,
        ratio_to_best_peer=10,
    )
    line = harness.run("toy")
    assert set(line) >= KEYS
    assert (line["ours"], line["ceiling"], line["peers"]) == (55, 100, {"slow": 1, "best": 5})
    assert (line["ratio_to_ceiling"], line["ratio_to_best_peer"]) == (0.55, 11)
    assert line["goal"] == {"ratio_to_ceiling": 0.5, "ratio_to_best_peer": 10}
    assert line["met"] is True
    assert order == ["ours", "slow", "best", "ceiling"] * 6  # alternating, warm-up included


@pytest.mark.parametrize(
    "goal",
    [{"ratio_to_ceiling": 0.6}, {"ratio_to_best_peer": 12}],
    ids=lambda goal: next(iter(goal)),
)
def test_a_missed_goal_is_reported(harness, goal):
    add(harness, [55] * 5, [100] * 5, peers={"peer": [5] * 5}, **goal)
    assert harness.run("toy")["met"] is False


def test_a_benchmark_can_have_goals_and_numbers_of_its_own(harness):
    further = harness.Further({"p99_ms": 120}, {"nothing_lost": False})
    add(harness, [55] * 5, [100] * 5, further=lambda: further)
    line = harness.run("toy")
    assert (line["p99_ms"], line["nothing_lost"], line["met"]) == (120, False, False)
    assert line["ratio_to_best_peer"] is None


def test_names_are_unique(harness):
    add(harness, [1], [1])
    with pytest.raises(ValueError, match="toy"):
        add(harness, [1], [1])


def bench(*arguments):
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    return subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def test_make_bench_prints_one_json_line_for_classify():
    done = bench("classify", "--scale", "0.01")
    assert done.returncode == 0, done.stderr
    (line,) = map(json.loads, done.stdout.splitlines())
    assert set(line) >= KEYS
    assert (line["bench"], line["unit"], line["rows"]) == ("classify", "rows/s", 10_000)
    assert line["rounds"] >= 5
    assert set(line["goal"]) == {"ratio_to_ceiling", "ratio_to_best_peer"}
    assert min(line["ours"], line["ceiling"], *line["peers"].values()) > 0


def test_an_unheard_of_benchmark_is_named():
    done = bench("no_such_bench")
    assert done.returncode == 2
    assert "no_such_bench" in done.stderr
