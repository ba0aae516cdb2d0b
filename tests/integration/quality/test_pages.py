"""Data Docs lie in their folder, and in the bucket where one is set."""

import pandas as pd
import pytest

from tinko_pipelines.core.analytics.documents import listed, read
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.quality.expectations import Session, examine
from tinko_pipelines.core.quality.pages import PREFIX, publish
from tinko_pipelines.core.quality.suite import suite
from tinko_pipelines.core.settings import Settings

PAYOUTS = pd.DataFrame(
    {"id": ["one po_1", "one po_2"], "status": ["paid", "lost"], "amount_major": [10.0, 20.0],
     "utr": ["UTR1", None]}
)  # fmt: skip


def batch():
    """A session with one page, and another for each call."""
    session = Session()
    examine(suite("payouts"), PAYOUTS, {}, session)
    return session


def test_pages_lie_in_the_folder(tmp_path):
    settings = Settings(quality_docs_dir=str(tmp_path))
    assert publish(batch(), settings) == str(tmp_path / "index.html")
    assert len(list((tmp_path / "validations").rglob("*.html"))) == 1


def test_the_bucket_keeps_each_batch(tmp_path, s3):
    store = s3.store()
    settings = s3.settings(store.bucket, quality_docs_dir=str(tmp_path))
    assert publish(batch(), settings) == f"s3://{store.bucket}/{PREFIX}/index.html"
    first = store.sizes(PREFIX)
    publish(batch(), settings)
    found = store.sizes(PREFIX)
    here = {one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*") if one.is_file()}
    assert {f"{PREFIX}/{one}" for one in here} | set(first) == set(found)
    assert len(found) == len(first) + 1
    assert store.get(f"{PREFIX}/index.html") == (tmp_path / "index.html").read_bytes()
    told = store.client.head_object(Bucket=store.bucket, Key=f"{PREFIX}/index.html")
    assert told["ContentType"] == "text/html"
    # whoever shows them has the bucket, and not this folder
    elsewhere = settings.model_copy(update={"quality_docs_dir": str(tmp_path / "nothing")})
    pages = listed(elsewhere, "quality")
    assert len(pages) == 2
    assert b"status" in read(elsewhere, "quality", pages[0])
    with pytest.raises(NotFound):
        read(elsewhere, "quality", "../secret")


def test_a_bucket_that_does_not_answer_stops_no_check(tmp_path, s3, caplog):
    settings = s3.settings("there-is-no-such-bucket", quality_docs_dir=str(tmp_path))
    assert publish(batch(), settings) == str(tmp_path / "index.html")
    assert "only" in caplog.text
