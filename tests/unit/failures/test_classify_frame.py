from dataclasses import asdict, fields
from itertools import chain
from unittest import mock

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs.prove_classify import (
    SCHEMA,
    STRANGE,
    WORDS,
    differences,
    random_errors,
    random_rules,
    table_errors,
)
from tests.proofs.prove_classify import classify as classify_proof
from tinko_pipelines.core.failures import vectorised, vocabulary
from tinko_pipelines.core.failures.classifier import FIELDS, Classification, ErrorInfo, classify
from tinko_pipelines.core.failures.codetable import CodeTable, default_table, parse_rows
from tinko_pipelines.core.failures.vectorised import classify_frame

ANSWERS = [field.name for field in fields(Classification)]
ROWS = default_table().rows


def assert_same(frame, table=None):
    got = classify_frame(frame, table)
    assert got.columns == [*(c for c in frame.columns if c not in ANSWERS), *ANSWERS]
    wanted = [asdict(classify(ErrorInfo.of(row), table)) for row in frame.to_dicts()]
    assert got.select(ANSWERS).to_dicts() == wanted


def test_each_row_decides_its_own_code():
    frame = table_errors()
    assert frame.height == 3 * len(ROWS)
    assert classify_frame(frame.gather_every(3))["row"].to_list() == [row.id for row in ROWS]


def test_same_answer_on_every_row_of_the_table_and_on_random_ones():
    """In full by `make proof NAME=classify`."""
    found = classify_proof(rows=6000, rules=60)
    assert found.wrong == []
    assert found.numbers["compared"] > 15_000


def test_same_answer_on_encoded_text():
    for frame in random_errors(3000, seed=3):
        assert_same(frame.with_columns(pl.all().cast(pl.Categorical)))


def test_parts_are_put_together_in_order():
    (frame,) = random_errors(1000, seed=5)
    with mock.patch.object(vectorised, "PART", 99):
        assert_same(frame)
        assert [*differences(frame, random_rules(40, seed=5))] == []


def test_same_answer_when_the_sample_of_spellings_misses_most():
    with mock.patch.object(vocabulary, "SAMPLE", 2):
        assert_same(*random_errors(3000, seed=7))
        clustered = [{"psp": "stripe", "decline_code": f"x{n}"} for n in range(2000)]
        clustered += [{"psp": " Stripe", "decline_code": "LOST_CARD"}] * 2
        assert_same(pl.DataFrame(clustered, schema=SCHEMA))


words = st.one_of(
    st.none(), st.text(), st.sampled_from(STRANGE), st.sampled_from([*chain(*WORDS.values())])
)
errors = st.fixed_dictionaries({name: words | st.sampled_from(WORDS[name]) for name in FIELDS})


@settings(deadline=None)
@given(st.lists(errors, min_size=1, max_size=20), st.sampled_from([pl.String, pl.Categorical]))
def test_same_answer_on_anything(rows, encoding):
    assert_same(pl.DataFrame(rows, schema=SCHEMA).with_columns(pl.all().cast(encoding)))


def test_missing_and_non_text_columns_are_absent():
    assert_same(pl.DataFrame({"psp": ["razorpay", "razorpay"], "reason": ["payment_failed", None]}))
    assert_same(pl.DataFrame({"id": [1, 2]}))
    assert_same(pl.DataFrame({"psp": ["stripe"], "decline_code": ["lost_card"], "network": [[1]]}))
    assert_same(pl.DataFrame({"psp": [7, 8], "network_decline_code": [14, None]}))
    assert_same(pl.DataFrame(schema=SCHEMA))
    enum = pl.Enum(["lost_card", "other"])
    frame = pl.DataFrame({"psp": ["stripe"] * 3, "decline_code": ["lost_card", "other", None]})
    assert_same(frame.with_columns(pl.col("decline_code").cast(enum)))


def test_columns_of_a_former_answer_are_replaced():
    frame = pl.DataFrame({"psp": ["stripe"], "decline_code": ["lost_card"]})
    once = classify_frame(frame)
    assert classify_frame(once).equals(once)


def test_another_table_gives_other_answers():
    date = ROWS[1].date
    group = {"psp": "stripe", "kind": "decline_code", "source": "merchant", "date": date}
    row = {"code": "lost_card", "category": "insufficient_funds", "retry_advice": "timed"}
    own = CodeTable(
        parse_rows([group | {"rows": [row | {"who_acts": "payer", "confidence": 1.0}]}])
    )
    frame = pl.DataFrame({"psp": ["stripe"] * 2, "decline_code": ["lost_card", "stolen_card"]})
    assert_same(frame, own)
    assert classify_frame(frame, own)["category"].to_list() == ["insufficient_funds", "unknown"]
