"""What readers may do to settings and functions."""

import pytest

from tinko_pipelines.local.chserver.errors import EngineError
from tinko_pipelines.local.chserver.profiles import READER, WRITER, foreign_functions

KNOWN = frozenset({"numbers", "s3", "eval", "url", "file", "merge", "format"})


def test_a_limit_can_be_lowered_and_never_raised():
    limit = READER.limits["max_result_rows"]
    assert READER.effective({"max_result_rows": "10"})["max_result_rows"] == "10"
    for value in (str(limit + 1), "0", "-1", "1e3", "auto"):
        assert READER.effective({"max_result_rows": value})["max_result_rows"] == str(limit)


@pytest.mark.parametrize(
    "name",
    [
        "readonly",
        "max_untracked_memory",
        "format_template_row",
        "output_format_schema",
        "allow_ddl",
    ],
)
def test_a_reader_may_not_set_what_could_widen_it(name):
    with pytest.raises(EngineError) as caught:
        READER.effective({name: "1"})
    assert caught.value.code == 164


def test_a_writer_may_set_anything_but_its_memory():
    found = WRITER.effective({"async_insert": "1", "max_memory_usage": "0"})
    assert found["async_insert"] == "1"
    assert int(found["max_memory_usage"]) == WRITER.limits["max_memory_usage"] > 0


@pytest.mark.parametrize(
    ("ast", "expected"),
    [
        ("   Function plus (children 1)\n    Function numbers (children 1)", set()),
        ("  TableExpression\n   Function S3 (children 1)", {"s3"}),
        ("Function eval (children 1)\nFunction url", {"eval", "url"}),
        ("   Function file (children 1)", {"file"}),
        ("   Literal 'Function s3 (children 1)'", set()),
        ("   TableIdentifier s3", set()),
    ],
)
def test_functions_that_reach_outside_are_named(ast, expected):
    assert foreign_functions(ast, KNOWN) == expected
