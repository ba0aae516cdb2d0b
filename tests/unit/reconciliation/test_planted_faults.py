"""The proof and the benchmark of reconciliation, small: every planted fault and nothing else."""

import polars as pl

from tests.proofs.books_faults import FAULTS
from tests.proofs.books_world import OVERDUE, plant
from tests.proofs.harness import run
from tests.proofs.prove_reconcile import accuracy, differences
from tinko_pipelines.core.reconciliation.matching import match


def test_every_planted_fault_is_found_and_nothing_else():
    line = run("reconcile", rows=6000, rates=(0.001, 0.01, 0.1))
    assert line["wrong"] == []
    # every kind was planted, payout totals with them
    assert line["at_0.1"]["kinds"] == len(FAULTS) + 1
    assert (line["at_0.1"]["precision"], line["at_0.1"]["recall"]) == (1.0, 1.0)


def test_the_proof_tells_what_is_missed_and_what_is_too_much():
    world = plant(3000, 0.05, 4)
    found = match(world.books, OVERDUE)
    assert differences(world, found, 0.05) == []
    missed = differences(world, found.slice(1), 0.05)
    assert ["missed" in one for one in missed] == [True]
    strange = found.head(1).with_columns(subject_id=pl.lit("nobody"))
    assert "too much" in differences(world, pl.concat([found, strange]), 0.05)[0]
    assert "twice" in differences(world, pl.concat([found, found.head(1)]), 0.05)[0]
    assert accuracy(world, found.slice(1))["recall"] < 1
    assert accuracy(world, pl.concat([found, strange]))["precision"] < 1


def test_books_that_agree_have_no_findings():
    world = plant(2000, 0.0, 5)
    assert match(world.books, OVERDUE).is_empty()
