"""`reconcile`: transactions against the ledger, out of Parquet, with one fault in a hundred rows.

Ours reads both files and names every finding with its evidence. The ceiling is DuckDB's bare full
join of the very same files, which counts the rows that differ and names nothing; the peer is
Postgres's FULL OUTER JOIN of the same rows in two analysed tables, which does as little. All three
must count the same differing payments before anything is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import psycopg

from tests.benchmarks.harness import Benchmark, Further, register, timed
from tests.proofs.books_world import plant
from tinko_pipelines.core.reconciliation.frames import KEY
from tinko_pipelines.core.reconciliation.matching import COMPARED, match_ledger
from tinko_pipelines.local.layout import open_folder
from tinko_pipelines.local.ports import free_port
from tinko_pipelines.local.postgres import EmbeddedPostgres

ROWS, RATE, SEED = 5_000_000, 0.01, 20261123
COLUMNS = (*KEY, *COMPARED)
DATABASE = "reconcile"
_ON = " and ".join(f"t.{name} = l.{name}" for name in KEY)
_DIFFER = " or ".join(f"t.{name} is distinct from l.{name}" for name in COLUMNS)
JOIN = f"select count(*) filter (where {_DIFFER}) from {{}} as t full join {{}} as l on {_ON}"


@register("reconcile")
def reconcile_benchmark(scale: float) -> Iterator[Benchmark]:
    # the ceiling alone needs it
    import duckdb

    rows = max(1000, int(ROWS * scale))
    with open_folder("tinko-reconcile-") as folder:
        transactions, ledger = _files(folder, rows)
        duck = duckdb.connect()
        query = JOIN.format(f"'{transactions}'", f"'{ledger}'")

        def full_join() -> int:
            (count,) = duck.execute(query).fetchone()
            return int(count)

        def ours() -> pl.DataFrame:
            return match_ledger(
                pl.read_parquet(transactions, columns=list(COLUMNS)),
                pl.read_parquet(ledger, columns=[*COLUMNS, "obligation_id", "attempt_id"]),
            )

        with EmbeddedPostgres(folder / "data", free_port()) as server:
            server.create_database(DATABASE)
            with psycopg.connect(server.url("tinko_owner", DATABASE), autocommit=True) as peer:
                _load(peer, transactions, ledger)

                def outer_join() -> int:
                    found = peer.execute(JOIN.format("transactions", "ledger")).fetchone()
                    return int(found[0])

                differing = ours().select(KEY).unique().height
                assert full_join() == outer_join() == differing
                yield Benchmark(
                    unit="rows/s",
                    ours=timed(ours, rows),
                    ceiling=timed(full_join, rows),
                    peers={"postgres_full_outer_join": timed(outer_join, rows)},
                    # at most 1.5 times its time
                    ratio_to_ceiling=1 / 1.5,
                    ratio_to_best_peer=1.0,
                    further=lambda: Further({"rows": rows, "differing": differing}),
                )
        duck.close()


def _files(folder: Path, rows: int) -> tuple[Path, Path]:
    """Both sides as Parquet, in different orders; each payment once: a bare join tells no more."""
    books = plant(rows, RATE, SEED).books
    paths = folder / "transactions.parquet", folder / "ledger.parquet"
    books.transactions.write_parquet(paths[0])
    books.ledger.unique(KEY, keep="first", maintain_order=True).write_parquet(paths[1])
    return paths


def _load(peer: psycopg.Connection, *paths: Path) -> None:
    columns = ", ".join(
        f"{name} {'bigint' if name.endswith('_minor') else 'text'}" for name in COLUMNS
    )
    for path in paths:
        peer.execute(f"create unlogged table {path.stem} ({columns})")
        with peer.cursor().copy(f"copy {path.stem} from stdin (format csv)") as copy:
            for part in pl.read_parquet(path, columns=list(COLUMNS)).iter_slices(100_000):
                copy.write(part.select(COLUMNS).write_csv(include_header=False))
        peer.execute(f"vacuum analyze {path.stem}")
