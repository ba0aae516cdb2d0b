import random
from dataclasses import asdict, fields
from itertools import chain
from unittest import mock

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinko_pipelines.core.failures import vectorised, vocabulary
from tinko_pipelines.core.failures.classifier import FIELDS, Classification, ErrorInfo, classify
from tinko_pipelines.core.failures.codetable import CodeTable, MatchKind, default_table, parse_rows
from tinko_pipelines.core.failures.vectorised import classify_frame

ANSWERS = [field.name for field in fields(Classification)]
SCHEMA = dict.fromkeys(FIELDS, pl.String)
ROWS = default_table().rows
WORDS = {
    str(kind): sorted({key[1] for key in default_table().index[kind]})
    for kind in MatchKind
    if kind not in (MatchKind.DEFAULT, MatchKind.OVERRIDE)
} | {
    "psp": ["stripe", "razorpay"],
    "network": ["visa", "mastercard", "MasterCard", "American Express", "rupay"],
    "source": ["customer", "issuer_bank", "business", "gateway"],
    "step": ["payment_authentication", "payment_authorization"],
    "description": ["Declined."],
}
STRANGE = [
    "",
    " ",
    "\t\n",
    "made_up",
    "\u212a",
    "İ",
    "ß",
    "\x1ccard_expired",
    "\u00a0card_expired",
    "\0",
]


def assert_same(frame, table=None):
    got = classify_frame(frame, table)
    assert got.columns == [*(c for c in frame.columns if c not in ANSWERS), *ANSWERS]
    wanted = [asdict(classify(ErrorInfo.of(row), table)) for row in frame.to_dicts()]
    assert got.select(ANSWERS).to_dicts() == wanted


def draw(rng):
    """One error: about half its fields known words, the rest missing, dressed up or strange."""
    error = {}
    for name in FIELDS:
        chance, word = rng.random(), rng.choice(WORDS[name])
        if chance < 0.5:
            error[name] = word
        elif chance < 0.6:
            error[name] = rng.choice(["", " ", "\r\n"]) + word.upper() + rng.choice(["", "\t"])
        else:
            error[name] = rng.choice(STRANGE) if chance < 0.65 else None
    return error


def every_row():
    """Each row of the table as the error it matches, in three spellings."""
    for row in ROWS:
        owner = "network" if row.kind.startswith("network") else "psp"
        error = {owner: row.owner, str(row.kind): row.code}
        error |= {"source": row.error_source, "step": row.error_step}
        error = {name: value for name, value in error.items() if name in FIELDS}
        yield error
        yield {name: f" {value.upper()}\n" for name, value in error.items()}
        yield error | {"code": "card_declined", "description": "x"}


def test_same_answer_on_every_row_of_the_table():
    frame = pl.DataFrame(list(every_row()), schema=SCHEMA)
    assert frame.height == 3 * len(ROWS)
    assert_same(frame)
    plain = classify_frame(frame.gather_every(3))["row"].to_list()
    assert plain == [row.id for row in ROWS]  # and each row decides its own code


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("encoding", [pl.String, pl.Categorical])
def test_same_answer_on_many_random_rows(seed, encoding):
    rng = random.Random(seed)
    frame = pl.DataFrame([draw(rng) for _ in range(10_000)], schema=SCHEMA)
    assert_same(frame.with_columns(pl.all().cast(encoding)))


def test_parts_are_put_together_in_order():
    rng = random.Random(5)
    frame = pl.DataFrame([draw(rng) for _ in range(1000)], schema=SCHEMA)
    with mock.patch.object(vectorised, "PART", 99):
        assert_same(frame)


def test_same_answer_when_the_sample_of_spellings_misses_most():
    rng = random.Random(7)
    with mock.patch.object(vocabulary, "SAMPLE", 2):
        assert_same(pl.DataFrame([draw(rng) for _ in range(3000)], schema=SCHEMA))
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
