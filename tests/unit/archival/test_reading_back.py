"""What is read back of a file comes in batches that are small, whatever its rows and groups are."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tinko_pipelines.core.archival import files


def written(path, groups):
    """A file of `groups`, each of so many rows as wide as said; and its values."""
    values = []
    with pq.ParquetWriter(path, pa.schema([("id", pa.int64()), ("body", pa.binary())])) as writer:
        for number, (rows, wide) in enumerate(groups):
            ids = [len(values) + one for one in range(rows)]
            bodies = [bytes([number % 256, one % 256]) * (wide // 2) for one in range(rows)]
            writer.write_table(pa.table({"id": ids, "body": pa.array(bodies, pa.binary())}))
            values += zip(ids, bodies, strict=True)
    return values


@pytest.mark.parametrize(
    ("groups", "most", "batches"),
    [
        # many small groups are read as one
        ([(10, 20)] * 30, 300, 1),
        ([(10, 20)] * 30, 100, 3),
        # and one of wide rows in parts
        ([(200, 2_000)], 500, 5),
        ([(10, 20), (200, 2_000), (10, 20)], 500, 7),
        # a row is never cut
        ([(3, 300_000)], 500, 3),
        ([], 500, 0),
    ],
)
def test_batches_are_small_and_have_every_row_once(tmp_path, monkeypatch, groups, most, batches):
    monkeypatch.setattr(files, "READ_BYTES", 100_000)
    path = tmp_path / "part.parquet"
    values = written(path, groups)
    found = list(files.batches_of(path, most))
    rows = [(one["id"], one["body"]) for batch in found for one in batch.to_pylist()]
    assert rows == values
    assert len(found) == batches
    assert all(one.nbytes <= 2 * files.READ_BYTES or len(one) == 1 for one in found)
