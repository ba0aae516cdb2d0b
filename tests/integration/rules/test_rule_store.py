"""Rules in a real Postgres: versions, instants, places, tenants and two writers at once."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from tests.integration.rules.conftest import NOW
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.errors import Conflict, InvalidInput, NotFound
from tinko_pipelines.core.rules import store
from tinko_pipelines.core.rules.reading import read_rule
from tinko_pipelines.core.rules.store import RuleDraft, RuleStore, rules_as_of

HOUR = timedelta(hours=1)


def draft(name="big ones", place=None, least=50_000):
    when = {"amount": {"ge": least, "currency": "INR"}}
    return RuleDraft(name, read_rule({"when": when, "then": [{"do": "stop"}]}, 8), place)


@pytest.fixture
def rules(database, org_id):
    with unit_of_work(database.app, org_id) as connection:
        yield RuleStore(connection, org_id)


def names(found):
    return [(one.name, one.version, one.place) for one in found]


def test_a_rule_is_saved_edited_deleted_and_restored(rules):
    made = rules.save(draft(), "key:1", NOW)
    assert rules.get(made.rule_id) == made
    edited = rules.edit(made.rule_id, draft("bigger", least=90_000), "key:2", NOW + HOUR)
    assert (edited.version, edited.name, edited.created_by) == (2, "bigger", "key:2")
    rules.delete(made.rule_id, "key:1", NOW + 2 * HOUR)
    assert rules.current() == []
    assert [one.deleted for one in rules.current(deleted=True)] == [True]
    rules.restore(made.rule_id, None, None, NOW + 3 * HOUR)
    assert names(rules.current()) == [("bigger", 4, 1)]
    back = rules.restore(made.rule_id, 1, None, NOW + 4 * HOUR)
    assert (back.name, back.version, back.body) == ("big ones", 5, made.body)
    told = rules.versions(made.rule_id)
    assert [(one.version, one.name, one.deleted) for one in told] == [
        (5, "big ones", False),
        (4, "bigger", False),
        (3, "bigger", True),
        (2, "bigger", False),
        (1, "big ones", False),
    ]


def test_the_rules_of_an_instant_are_those_that_were_in_force(rules, org_id):
    one = rules.save(draft("one"), None, NOW)
    rules.save(draft("two"), None, NOW + HOUR)
    rules.edit(one.rule_id, draft("one, again", place=5), None, NOW + 2 * HOUR)
    rules.delete(one.rule_id, None, NOW + 3 * HOUR)

    def at(hours):
        return names(rules_as_of(rules.connection, org_id, NOW + hours * HOUR))

    assert at(-0.01) == []
    assert at(0) == [("one", 1, 1)]
    assert at(1) == [("one", 1, 1), ("two", 1, 2)]
    assert at(2) == [("two", 1, 2), ("one, again", 2, 5)]
    assert at(3) == [("two", 1, 2)]


def test_rules_are_put_in_another_order(rules):
    made = [rules.save(draft(name), None, NOW) for name in ("a", "b", "c")]
    ids = [one.rule_id for one in made]
    again = rules.reorder([ids[2], ids[1], ids[0]], "key:1", NOW + HOUR)
    assert names(again) == names(rules.current()) == [("c", 2, 1), ("b", 1, 2), ("a", 2, 3)]
    for wrong in ([], ids[:2], [*ids, uuid4()], [ids[0], *ids]):
        with pytest.raises(InvalidInput):
            rules.reorder(wrong, None, NOW)
    assert names(rules.current()) == names(again)


def test_what_cannot_be_done_is_refused(rules):
    for ask in (rules.get, rules.versions):
        with pytest.raises(NotFound):
            ask(uuid4())
    made = rules.save(draft(), None, NOW)
    with pytest.raises(Conflict, match="in force"):
        rules.restore(made.rule_id, None, None, NOW)
    with pytest.raises(NotFound, match="version 7"):
        rules.restore(made.rule_id, 7, None, NOW)
    rules.edit(made.rule_id, draft("second"), None, NOW, of_version=1)
    with pytest.raises(Conflict, match="newest") as caught:
        rules.edit(made.rule_id, draft("late"), None, NOW, of_version=1)
    assert caught.value.extra == {"version": 2}
    rules.delete(made.rule_id, None, NOW)
    for again in (
        lambda: rules.delete(made.rule_id, None, NOW),
        lambda: rules.edit(made.rule_id, draft(), None, NOW),
    ):
        with pytest.raises(Conflict):
            again()
    assert len(rules.versions(made.rule_id)) == 3


def test_there_are_only_so_many_rules(rules, monkeypatch):
    monkeypatch.setattr(store, "MAX_RULES", 2)
    first = rules.save(draft("a"), None, NOW)
    rules.save(draft("b"), None, NOW)
    with pytest.raises(InvalidInput, match="2 rules"):
        rules.save(draft("c"), None, NOW)
    rules.delete(first.rule_id, None, NOW)
    rules.save(draft("c"), None, NOW)
    with pytest.raises(InvalidInput, match="2 rules"):
        rules.restore(first.rule_id, None, None, NOW)


def test_two_who_save_at_once_get_a_place_each(database, org_id):
    errors, ready = [], threading.Barrier(4)

    def save(name):
        try:
            with unit_of_work(database.app, org_id) as connection:
                ready.wait(10)
                RuleStore(connection, org_id).save(draft(name), None, NOW)
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=save, args=(name,)) for name in "abcd"]
    for one in workers:
        one.start()
    for one in workers:
        one.join(30)
    assert errors == []
    with unit_of_work(database.app, org_id) as connection:
        assert [one.place for one in RuleStore(connection, org_id).current()] == [1, 2, 3, 4]


def test_an_organisation_sees_and_writes_its_own_rules_only(database, org_id, other_org):
    with unit_of_work(database.app, org_id) as connection:
        made = RuleStore(connection, org_id).save(draft(), None, NOW)
    with unit_of_work(database.app, other_org) as connection:
        assert RuleStore(connection, org_id).current() == []
        with pytest.raises(NotFound):
            RuleStore(connection, other_org).get(made.rule_id)
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        unit_of_work(database.app, other_org) as connection,
    ):
        RuleStore(connection, org_id).save(draft("planted"), None, NOW)
    # the worker sees every tenant, and is told apart by the organisation it asks for
    with unit_of_work(database.worker) as connection:
        assert len(rules_as_of(connection, org_id, NOW)) == 1
        assert len(rules_as_of(connection, other_org, NOW)) == 0


@pytest.mark.parametrize(
    "change", ["update rule_versions set name = 'x'", "delete from rule_versions"]
)
@pytest.mark.parametrize("role", ["app", "worker"])
def test_versions_are_never_changed(database, org_id, role, change):
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        unit_of_work(getattr(database, role), org_id) as connection,
    ):
        connection.execute(text(change))
