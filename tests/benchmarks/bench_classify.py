"""`classify`: a million failures at once, against one by one and against a bare Polars join.

The rows look like an archive of both PSPs: known codes with the companions PSPs send, 1 in 100
spelled oddly, 1 in 100 unknown. The ceiling joins the very same rows to the same code table and
adds the same answer columns, by PSP and by one column, made beforehand, that holds the reason or
decline code. It copies no other column; it knows no precedence, networks, advice codes or odd
spelling.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

import numpy as np
import polars as pl

from tests.benchmarks.harness import Benchmark, Further, register, timed
from tinko_pipelines.core.failures.classifier import (
    FIELDS,
    Classification,
    ErrorInfo,
    classify,
)
from tinko_pipelines.core.failures.codetable import CodeRow, MatchKind, default_table
from tinko_pipelines.core.failures.vectorised import classify_frame

WORD = pl.coalesce("decline_code", "reason").alias("word")
ANSWERS = [field.name for field in fields(Classification)]
ROWS, PEER_ROWS, SEED = 1_000_000, 20_000, 20261101


@register("classify")
def classify_benchmark(scale: float) -> Iterator[Benchmark]:
    rows, peer_rows = max(1000, int(ROWS * scale)), max(100, int(PEER_ROWS * scale))
    frame = failures(rows, SEED)
    sample = frame.head(peer_rows)
    assert classify_frame(sample)["row"].to_list() == [a.row for a in one_by_one(sample)]

    keys, table = frame.select("psp", WORD), code_table()

    def bare_join() -> pl.DataFrame:
        joined = keys.join(table, on=["psp", "word"], how="left", maintain_order="left")
        return frame.with_columns(joined.select(ANSWERS))

    unmatched = bare_join()["category"].null_count()
    assert rows * 0.01 <= unmatched <= rows * 0.05  # the oddly spelled and the unknown

    yield Benchmark(
        unit="rows/s",
        ours=timed(lambda: classify_frame(frame), rows),
        ceiling=timed(bare_join, rows),
        peers={
            "row_wise_python": timed(lambda: one_by_one(sample), peer_rows),
            "polars_map_elements": timed(lambda: mapped(sample), peer_rows),
        },
        ratio_to_ceiling=0.5,
        ratio_to_best_peer=50,
        further=lambda: Further({"rows": rows, "peer_rows": peer_rows}),
    )


def one_by_one(frame: pl.DataFrame) -> list[Classification]:
    """Plain Python: the scalar `classify` called for each row."""
    return [classify(ErrorInfo(*row)) for row in frame.select(FIELDS).iter_rows()]


def mapped(frame: pl.DataFrame) -> pl.DataFrame:
    """The same from within Polars, as a user-defined function."""
    return frame.with_columns(
        pl.struct(FIELDS).map_elements(
            lambda row: classify(ErrorInfo(**row)).category, return_dtype=pl.String
        )
    )


def code_table() -> pl.DataFrame:
    """The code table's reason and decline-code rows with their answers, keyed for a join."""
    rows = [
        row
        for row in default_table().rows
        if row.kind in (MatchKind.DECLINE_CODE, MatchKind.REASON)
        and not row.error_source
        and not row.error_step
    ]
    errors = pl.DataFrame(
        [{"psp": row.owner, str(row.kind): row.code} for row in rows],
        schema={"psp": pl.String, "decline_code": pl.String, "reason": pl.String},
    )
    return classify_frame(errors).select("psp", WORD, *ANSWERS).unique(["psp", "word"])


def failures(rows: int, seed: int) -> pl.DataFrame:
    """A frame of ErrorInfo columns as both PSPs send them, drawn from `seed`."""
    draw = np.random.default_rng(seed)
    stripe = draw.random(rows) < 0.5
    known = default_table().rows

    def pick(values: Sequence[str], where: np.ndarray, share: float = 1.0) -> pl.Series:
        chosen = pl.Series(values, dtype=pl.String).gather(draw.integers(0, len(values), rows))
        keep = pl.Series(where & (draw.random(rows) < share))
        return pl.select(pl.when(keep).then(chosen)).to_series()

    def codes(kind: MatchKind, owner: str) -> list[str]:
        return sorted({row.code for row in known if _is(row, kind, owner)})

    network = pick(["visa", "mastercard", "amex", "rupay"], stripe)
    mastercard = (network == "mastercard").fill_null(False).to_numpy()
    frame = pl.DataFrame(
        {
            "psp": np.where(stripe, "stripe", "razorpay").tolist(),
            "code": np.where(stripe, "card_declined", "BAD_REQUEST_ERROR").tolist(),
            "decline_code": pick(codes(MatchKind.DECLINE_CODE, "stripe"), stripe),
            "reason": pick(codes(MatchKind.REASON, "razorpay"), ~stripe),
            "source": pick(["customer", "issuer_bank", "gateway", "business"], ~stripe),
            "step": pick(["payment_authentication", "payment_authorization"], ~stripe),
            "network": network,
            "network_decline_code": pick(["05", "51", "14", "54", "57", "91"], stripe, 0.6),
            "network_advice_code": pick(["01", "02", "03", "24", "30"], mastercard, 0.6),
            "advice_code": pick(codes(MatchKind.ADVICE_CODE, "stripe"), stripe, 0.3),
            "description": ["Your payment was declined."] * rows,
        }
    )
    lot = pl.Series(draw.random(rows))
    odd = [
        pl.when(lot < 0.01).then(" " + pl.col(c).str.to_uppercase()).otherwise(c).alias(c)
        for c in ("decline_code", "reason")
    ]
    made_up = [
        pl.when((lot > 0.99) & pl.col(c).is_not_null())
        .then(pl.lit("not_in_any_table"))
        .otherwise(c)
        .alias(c)
        for c in ("decline_code", "reason")
    ]
    return frame.with_columns(odd).with_columns(made_up).select(FIELDS).rechunk()


def _is(row: CodeRow, kind: MatchKind, owner: str) -> bool:
    return row.kind is kind and row.owner == owner
