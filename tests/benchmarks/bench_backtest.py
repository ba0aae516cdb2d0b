"""`backtest`: a draft of the rules over a million past failures, against one by one.

Ours is the whole of `backtest`: two sets of rules compiled and evaluated, what changes counted,
with its money and samples. The peer evaluates both sets on each row's facts and counts the
changed by kind and nothing else. The ceiling is a bare Polars filter, written by hand for the
same two sets over the same columns: it knows no missing values, no order of rules, and counts
rows only.

All three begin with the failures in memory. What a merchant waits for begins in Postgres: the same
failures as rows of the ledger, read by `load_past` under row-level security, are timed besides,
alone and together with the backtest.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import polars as pl

from tests.benchmarks.backtest_history import History, write_history
from tests.benchmarks.harness import Benchmark, Further, register, timed
from tests.postgres import migrated_postgres
from tinko_pipelines.core.rules.backtest import NO_RULE, Backtest, backtest
from tinko_pipelines.core.rules.compiled import FACTS_SCHEMA, fire
from tinko_pipelines.core.rules.engine import evaluate
from tinko_pipelines.core.rules.facts import RuleFacts
from tinko_pipelines.core.rules.model import Rule, RuleSet
from tinko_pipelines.core.rules.past import PAST_SCHEMA, Past
from tinko_pipelines.core.rules.reading import read_rule

ROWS, PEER_ROWS, SEED = 1_000_000, 20_000, 20261101
FRAUD = {"category": {"in": ["fraud_risk", "lost_or_stolen"]}}
BIG_VIP = {
    "all": [
        {"amount": {"ge": 5_000_000, "currency": "INR"}},
        {"customer_tags": {"contains": "vip"}},
        {"not": {"method": {"eq": "upi"}}},
    ]
}
FUNDS_AT_NIGHT = {
    "all": [
        {"category": {"eq": "insufficient_funds"}},
        {"country": {"eq": "IN"}},
        {"local_time": {"between": ["22:00", "06:00"], "zone": "payer"}},
    ]
}
WORN_OUT = {"any": [{"attempt": {"gt": 5}}, {"days_since_failure": {"gt": 14}}]}
WEEKEND = {"all": [{"psp": {"eq": "razorpay"}}, {"weekday": {"in": ["sat", "sun"]}}]}

BEFORE = [
    (FRAUD, {"do": "stop"}),
    (BIG_VIP, {"do": "ask_payer", "channels": ["sms"]}),
    (WEEKEND, {"do": "next_window", "window": "business_hours"}),
]
AFTER = [
    (FRAUD, {"do": "stop"}),
    (WORN_OUT, {"do": "stop"}),
    (BIG_VIP, {"do": "ask_payer", "channels": ["sms"]}),
    (FUNDS_AT_NIGHT, {"do": "retry_at", "time": "09:30"}),
    (WEEKEND, {"do": "wait", "hours": 24}),
]


@register("backtest")
def backtest_benchmark(scale: float) -> Iterator[Benchmark]:
    rows, peer_rows = max(1000, int(ROWS * scale)), max(100, int(PEER_ROWS * scale))
    past = Past(failures(rows, SEED), truncated=False)
    sample = past.frame.head(peer_rows)
    before, after = rule_set(BEFORE), rule_set(AFTER)

    told = backtest(Past(sample, False), before, after)
    counted = {(one.before, one.after): one.failures for one in told.changes}
    assert counted == one_by_one(sample, before, after)
    assert len(counted) >= 3  # the draft does change something

    ours = timed(lambda: backtest(past, before, after), rows)
    compiled = timed(lambda: (fire(before, past.frame), fire(after, past.frame)), rows)
    with stored(past.frame) as history:
        yield Benchmark(
            unit="failures/s",
            ours=ours,
            ceiling=timed(lambda: bare_filter(past.frame), rows),
            peers={"one_by_one": timed(lambda: one_by_one(sample, before, after), peer_rows)},
            ratio_to_best_peer=50,
            further=lambda: Further(
                {
                    "rows": rows,
                    "peer_rows": peer_rows,
                    "changed_failures": backtest(past, before, after).changed_failures,
                    "evaluation_alone": float(f"{compiled():.4g}"),
                    **from_the_ledger(history, lambda read: backtest(read, before, after)),
                }
            ),
        )


def from_the_ledger(history: History, tried: Callable[[Past], Backtest]) -> dict[str, float]:
    """Seconds from the question to the answer, and those of them that `load_past` took: medians of
    three."""
    took = []
    for _ in range(3):
        began = time.perf_counter()
        read = history.load()
        loaded = time.perf_counter()
        told = tried(read)
        took.append((loaded - began, time.perf_counter() - began))
        assert (told.failures, told.truncated) == (history.rows, False)
        assert told.changed_failures
    load, whole = (sorted(each)[1] for each in zip(*took, strict=True))
    return {"load_seconds": round(load, 2), "load_and_backtest_seconds": round(whole, 2)}


@contextmanager
def stored(frame: pl.DataFrame) -> Iterator[History]:
    """The failures in a Postgres of their own."""
    with migrated_postgres([datetime.now(UTC)]) as server:
        history = write_history(server, "tinko", frame)
        yield history
        history.app.dispose()


def rule_set(lines: Sequence[tuple[dict, dict]]) -> RuleSet:
    return RuleSet(
        tuple(
            Rule(uuid.UUID(int=n), 1, f"rule {n}", n, read_rule({"when": when, "then": [do]}, 8))
            for n, (when, do) in enumerate(lines, 1)
        )
    )


def one_by_one(frame: pl.DataFrame, before: RuleSet, after: RuleSet) -> dict[tuple[str, str], int]:
    """Changed failures by kind, by evaluating both sets on every row."""
    changed: Counter[tuple[str, str]] = Counter()
    for row in frame.select(list(FACTS_SCHEMA)).iter_rows():
        facts = RuleFacts(*row)
        was, would = evaluate(before, facts), evaluate(after, facts)
        if (was and was.actions) != (would and would.actions):
            kinds = [NO_RULE if one is None else one.deciding.do.value for one in (was, would)]
            changed[kinds[0], kinds[1]] += 1
    return dict(changed)


def bare_filter(frame: pl.DataFrame) -> int:
    """Rows on which any condition of either set holds, with nothing of rules around it."""
    category, time = pl.col("category"), pl.col("payer_time")
    fraud = category.is_in(["fraud_risk", "lost_or_stolen"])
    big = (pl.col("amount") >= 5_000_000) & (pl.col("currency") == "INR")
    vip = big & pl.col("customer_tags").list.contains("vip") & (pl.col("method") != "upi")
    funds = (category == "insufficient_funds") & (pl.col("country") == "IN")
    night = funds & ((time >= 22 * 60) | (time <= 6 * 60))
    worn_out = (pl.col("attempt") > 5) | (pl.col("days_since_failure") > 14)
    weekend = (pl.col("psp") == "razorpay") & pl.col("org_weekday").is_in([6, 7])
    old = frame.select((fraud | vip | weekend).sum()).item()
    new = frame.select((fraud | worn_out | vip | night | weekend).sum()).item()
    return int(old + new)


def failures(rows: int, seed: int) -> pl.DataFrame:
    """Past failures as `load_past` makes them: debts of four failures, drawn from `seed`."""
    draw = np.random.default_rng(seed)

    def pick(values: Sequence[object]) -> pl.Series:
        return pl.Series(values).gather(draw.integers(0, len(values), rows))

    def numbers(low: int, high: int) -> pl.Series:
        return pl.Series(draw.integers(low, high, rows))

    order = pl.int_range(rows, eager=True)
    made = {
        "attempt_id": _ids("a", order),
        "obligation_id": _ids("b", order // 4),
        "case_id": _ids("c", order // 4),
        "failed_at": 1_780_000_000_000_000 + numbers(0, 90 * 86_400) * 1_000_000,
        "amount": numbers(100, 10_000_000),
        "currency": pick(["INR", "INR", "USD", "EUR"]),
        "psp": pick(["stripe", "razorpay"]),
        "method": pick(["card", "upi", "emandate"]),
        "category": pick(
            ["insufficient_funds", "limit_exceeded", "issuer_unavailable", "fraud_risk", "unknown"]
        ),
        "code": pick(["insufficient_funds", "do_not_honor", "payment_timed_out", None]),
        "attempt": numbers(1, 8),
        "days_since_failure": numbers(0, 18),
        "customer_tags": pick([["vip"], ["annual", "vip"], [], ["annual"]]),
        "country": pick(["IN", "IN", "US", None]),
        "org_time": numbers(0, 1440),
        "org_weekday": numbers(1, 8),
        "payer_time": pl.select(
            pl.when(pl.Series(draw.random(rows) < 0.6)).then(numbers(0, 1440))
        ).to_series(),
        "payer_weekday": numbers(1, 8),
    }
    frame = pl.DataFrame(made)
    return frame.select(pl.col(name).cast(dtype) for name, dtype in PAST_SCHEMA.items()).rechunk()


def _ids(kind: str, numbers: pl.Series) -> pl.Series:
    """Texts as long as a UUID's, one for each number."""
    tail = numbers.cast(pl.String).str.zfill(12)
    return pl.select(pl.concat_str(pl.lit(f"0199{kind}000-0000-7000-8000-"), tail)).to_series()
