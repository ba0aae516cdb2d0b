"""The vectorised classifier gives, row by row, what the scalar one gives: on every row of the code
tables and on random errors, with and without a merchant's rules."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date

import polars as pl

from tests.proofs.harness import Finding, register
from tinko_pipelines.core.failures.classifier import FIELDS, ErrorInfo
from tinko_pipelines.core.failures.classifier import classify as classify_one
from tinko_pipelines.core.failures.coderow import NETWORK_KINDS, MatchKind, incoherent
from tinko_pipelines.core.failures.codetable import default_table
from tinko_pipelines.core.failures.columns import ORDER
from tinko_pipelines.core.failures.override_rules import (
    MATCHED,
    Origin,
    Overrides,
    parse_rules,
)
from tinko_pipelines.core.failures.taxonomy import Category, RetryAdvice, WhoActs
from tinko_pipelines.core.failures.vectorised import classify_frame

SCHEMA = dict.fromkeys(FIELDS, pl.String)
CODES = {
    str(kind): sorted({key[1] for key in default_table().index[kind]})
    for kind in MatchKind
    if kind not in (MatchKind.DEFAULT, MatchKind.OVERRIDE)
}
WORDS = CODES | {
    "psp": ["stripe", "razorpay"],
    "network": ["visa", "mastercard", "MasterCard", "Amex", "rupay", "upi", "npci", "jcb"],
    "source": ["customer", "issuer_bank", "business", "gateway"],
    "step": ["payment_authentication", "payment_authorization"],
    "description": ["Declined."],
}
STRANGE = ["", " ", "\t\n", "made_up", "\u212a", "İ", "ß", "\x1ccard_expired", "\u00a0u67", "\0"]
MOST_TOLD = 20  # differences that a finding tells
CHUNK = 100_000


@register("classify")
def classify(rows: int = 1_000_000, rules: int = 60, seed: int = 20261123) -> Finding:
    """`rows` random errors and three spellings of every table row, under no rules and under so
    many random ones. Random rules must have had a say, or nothing about them is proven."""
    own = random_rules(rules, seed)
    wrong: list[str] = []
    compared = overruled = 0
    for frame in (table_errors(), *random_errors(rows, seed)):
        for overrides in (None, own):
            wrong += differences(frame, overrides)
            compared += frame.height
        decided = classify_frame(frame, overrides=own)["category_row"].cast(pl.String)
        overruled += int(decided.str.starts_with("override.").sum())
        if len(wrong) > MOST_TOLD:
            break
    if not overruled:
        wrong.append("no rule matched any error")
    return Finding(wrong[:MOST_TOLD], {"compared": compared, "overruled": overruled})


def differences(frame: pl.DataFrame, overrides: Overrides | None) -> Iterator[str]:
    """Each row on which the two disagree, in words."""
    given = classify_frame(frame, overrides=overrides).select(ORDER).iter_rows()
    for error, columns in zip(frame.iter_rows(named=True), given, strict=True):
        wanted = asdict(classify_one(ErrorInfo(**error), overrides=overrides))
        if tuple(wanted.values()) != columns:
            said = {name: value for name, value in error.items() if value is not None}
            yield f"{said}: {dict(zip(ORDER, columns, strict=True))} and not {wanted}"


def table_errors() -> pl.DataFrame:
    """Each row of the table as the error it matches, in three spellings."""
    errors = []
    for row in default_table().rows:
        owner = "network" if row.kind in NETWORK_KINDS else "psp"
        error = {owner: row.owner, str(row.kind): row.code}
        error |= {"source": row.error_source, "step": row.error_step}
        error = {name: value for name, value in error.items() if name in FIELDS}
        errors += [
            error,
            {name: f" {value.upper()}\n" for name, value in error.items()},
            error | {"code": "card_declined", "description": "x"},
        ]
    return pl.DataFrame(errors, schema=SCHEMA)


def random_errors(rows: int, seed: int) -> Iterator[pl.DataFrame]:
    """Frames of random errors: about half of the fields known words, the rest missing, dressed up
    or strange."""
    rng = random.Random(seed)
    for start in range(0, rows, CHUNK):
        count = min(CHUNK, rows - start)
        columns = {name: _column(rng, WORDS[name], count) for name in FIELDS}
        yield pl.DataFrame(columns, schema=SCHEMA)


def _column(rng: random.Random, words: Sequence[str], count: int) -> list[str | None]:
    def one() -> str | None:
        chance = rng.random()
        if chance < 0.35:
            return None
        if chance < 0.85:
            return rng.choice(words)
        if chance < 0.95:
            return (
                rng.choice(["", " ", "\r\n"]) + rng.choice(words).upper() + rng.choice(["", "\t"])
            )
        return rng.choice(STRANGE)

    return [one() for _ in range(count)]


def random_rules(count: int, seed: int) -> Overrides:
    """So many rules over one to three fields each, frequent words among them."""
    rng = random.Random(seed)
    found: dict[tuple[str, ...], dict[str, object]] = {}
    while len(found) < count:
        match = {rng.choice(sorted(CODES)): ""}
        match |= dict.fromkeys(rng.sample(MATCHED, rng.randint(0, 2)), "")
        match = {name: rng.choice([*WORDS[name], "made_up"][:60]) for name in match}
        if match.get("psp") == "made_up":
            continue
        category, advice = rng.choice(_COHERENT)
        given = {"category": category, "retry_advice": advice, "who_acts": rng.choice([*WhoActs])}
        key = tuple(match.get(name, "").lower() for name in MATCHED)
        found.setdefault(key, {"match": match} | given)
    document = {"rules": list(found.values())}
    return Overrides(parse_rules(document), Origin(1, date(2026, 11, 23)))


_COHERENT = [
    (category, advice)
    for category in Category
    for advice in RetryAdvice
    if category is not Category.UNKNOWN and incoherent(category, advice) is None
]
