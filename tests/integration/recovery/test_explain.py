"""An attempt of ours is explained from what is stored: the same answers, or exit code 1."""

import json

import psycopg
import pytest
from typer.testing import CliRunner

from tests.contract.adapter_stages import AMOUNT
from tinko_pipelines.cli import app
from tinko_pipelines.core.db import engine as engines
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import NotFound
from tinko_pipelines.core.guards import rows as guard_rows
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.recovery.explain import as_document, explain_attempt
from tinko_pipelines.core.settings import get_settings


@pytest.fixture
def made(shop):
    """A retry that was decided, waited for and sent; its id."""
    shop.failed_debt()
    assert shop.think() == {"retry": 1}
    ((attempt,),) = shop.rows("select id from attempts where actor = 'tinko'")
    shop.wait_for_the_next()
    assert shop.charge() in ("succeeded", "pending", "failed")
    return attempt


def explained(shop, attempt):
    with unit_of_work(shop.engine) as connection:
        return explain_attempt(connection, attempt)


def tinko(shop, monkeypatch, *arguments):
    """`tinko explain attempt …` on the shop's database: exit code and what it said."""
    for role in ("OWNER", "WORKER"):
        url = shop.database.url(f"tinko_{role.lower()}")
        monkeypatch.setenv(f"DATABASE_{role}_URL", url)
    get_settings.cache_clear()
    engines.worker_engine.cache_clear()
    done = CliRunner().invoke(
        app, ["explain", "attempt", *map(str, arguments)], env={"COLUMNS": "200"}
    )
    engines.worker_engine().dispose()
    engines.worker_engine.cache_clear()
    return done.exit_code, done.output


def test_the_same_rows_give_the_same_answers(shop, made, monkeypatch):
    found = explained(shop, made)
    assert found.same
    assert found.decision.stored == found.decision.again
    assert found.verdict.stored == found.verdict.again
    assert json.loads(found.decision.stored)["action"] == "retry"
    assert found.evidence.facts.amount == AMOUNT
    assert found.evidence.verdict.rows
    ((rows,),) = shop.rows("select guard_rows from attempts where id = :id", id=made)
    assert tuple(rows) == found.evidence.verdict.rows
    assert {one.id for one in found.evidence.rows} >= set(rows)
    # no limits.yaml of a later day changes what was known on that one
    monkeypatch.setattr(guard_rows, "book", lambda: guard_rows.Book(()))
    assert explained(shop, made).same
    code, said = tinko(shop, monkeypatch, made)
    assert code == 0
    assert "byte for byte the same" in said
    for row in rows:
        assert row in said
    code, said = tinko(shop, monkeypatch, made, "--json")
    assert (code, json.loads(said)["same"]) == (0, True)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ("update attempts set evidence = jsonb_set(evidence, '{facts,instrument_key}', 'null')"
         " where id = :id", "verdict"),
        ("update attempts set evidence = jsonb_set(evidence, '{verdict,rows}', '[]')"
         " where id = :id", "verdict"),
        ("update attempts set evidence = evidence - 'facts' where id = :id", "verdict"),
        ("update guard_limits set rows = replace(rows, '\"limit\":', '\"limit\":1')", "verdict"),
        ("delete from guard_limits where :id is not null", "verdict"),
        ("delete from guard_limits where :id is not null", "decision"),
        ("update decisions set inputs = jsonb_set(inputs, '{limits}', '\"none\"')"
         " where id = (select decision_id from attempts where id = :id)", "decision"),
        ("update decisions set inputs = jsonb_set(inputs, '{view,obligation_state}', '\"paid\"')"
         " where id = (select decision_id from attempts where id = :id)", "decision"),
        ("update decisions set act_at = act_at + interval '1 microsecond'"
         " where id = (select decision_id from attempts where id = :id)", "decision"),
        ("update decisions set inputs = inputs - 'view'"
         " where id = (select decision_id from attempts where id = :id)", "decision"),
    ],
)  # fmt: skip
def test_whatever_was_changed_afterwards_shows(striped, monkeypatch, change, part):
    striped.failed_debt()
    striped.think()
    ((attempt,),) = striped.rows("select id from attempts where actor = 'tinko'")
    striped.wait_for_the_next()
    striped.charge()
    # nobody of ours may rewrite a decision
    with psycopg.connect(striped.database.url("postgres")) as superuser:
        superuser.execute(change.replace(":id", f"'{attempt}'"))
    found = explained(striped, attempt)
    assert not getattr(found, part).same
    assert not found.same
    assert as_document(found)[part]["same"] is False
    code, said = tinko(striped, monkeypatch, attempt)
    assert code == 1
    assert "not the same" in said


def test_limits_are_kept_once_for_all_that_were_allowed_on_them(striped):
    made = []
    for _ in range(2):
        debt = striped.failed_debt()
        obligation = striped.rows(
            "select obligation_id from psp_refs where object_id = :id", id=debt.ref.object_id
        )[0][0]
        made.append(striped.plan(debt, obligation))
        striped.charge()
    kept = striped.rows("select digest from guard_limits")
    named = "select evidence ->> 'limits' from attempts where id = any(:ids)"
    assert striped.rows(named, ids=made) == kept * 2
    # evidence of before that holds the limits itself
    striped.write(
        "update attempts set evidence = evidence - 'limits'"
        " || jsonb_build_object('rows', (select cast(rows as jsonb) from guard_limits))"
        " where id = :id", id=made[0],
    )  # fmt: skip
    first, second = (explained(striped, one) for one in made)
    assert first.same
    assert first.evidence.rows == second.evidence.rows != ()
    assert first.verdict.stored == second.verdict.stored


def test_what_is_not_sent_yet_or_not_ours_has_less_to_explain(striped, monkeypatch):
    striped.failed_debt()
    striped.think()
    ((attempt,),) = striped.rows("select id from attempts where actor = 'tinko'")
    found = explained(striped, attempt)
    assert found.decision.same
    assert found.verdict is None
    ((theirs,),) = striped.rows("select id from attempts where actor <> 'tinko'")
    assert explained(striped, theirs).decision is None
    assert tinko(striped, monkeypatch, theirs)[0] == 0


def test_an_attempt_that_is_not_there_is_named(striped, monkeypatch):
    nobody = new_id(striped.clock.now())
    with pytest.raises(NotFound, match=str(nobody)):
        explained(striped, nobody)
    code, said = tinko(striped, monkeypatch, nobody)
    assert (code, str(nobody) in said) == (1, True)
