"""Past failures as facts, and a draft tried on them, against plain Python over the same rows."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from tests.integration.rules.conftest import NOW, Ledger
from tinko_pipelines.core.db.engine import unit_of_work
from tinko_pipelines.core.db.tables.ledger import attempts, failures, obligations
from tinko_pipelines.core.ids import new_id
from tinko_pipelines.core.rules import backtest as backtest_module
from tinko_pipelines.core.rules import past as past_module
from tinko_pipelines.core.rules.backtest import affordable, backtest
from tinko_pipelines.core.rules.engine import evaluate
from tinko_pipelines.core.rules.facts import RuleFacts
from tinko_pipelines.core.rules.model import NO_RULES, Rule, RuleBody, RuleSet
from tinko_pipelines.core.rules.past import PAST_SCHEMA, load_past

ZONES = {"IN": "Asia/Kolkata", "DE": "Europe/Berlin"}
FACTS = list(RuleFacts.__slots__)


def fill(ledger, seed, debts=60):
    """Debts of several currencies and countries, each failing one to five times."""
    draw = random.Random(seed)
    for n in range(debts):
        first = NOW - timedelta(hours=draw.randrange(24 * 80))
        debt = ledger.debt(
            due=draw.choice([100, 49_900, 2**62]),
            currency=draw.choice(["INR", "USD", "JPY"]),
            at=first,
            psp=draw.choice(["stripe", "razorpay"]),
            country=draw.choice(["IN", "DE", "US", None]),
            tags=draw.choice([[], ["vip"], ['a,"b"\n', "é", "{}"]]),
        )
        times = [first + timedelta(minutes=draw.randrange(20 * 24 * 60)) for _ in range(n % 5 + 1)]
        draw.shuffle(times)
        for at in times:
            ledger.failure(
                debt,
                min(at, NOW),
                category=draw.choice(["insufficient_funds", "fraud_risk"]),
                code=draw.choice([None, "", "card_declined", 'x,"y"\nz', "कम_शेष"]),
                method=draw.choice(["card", "upi"]),
                country=draw.choice([None, "JP"]),
                case_id=draw.choice([None, new_id(NOW)]),
            )


def expected(ledger):
    """Facts by attempt, one by one, as `RuleFacts` documents them."""
    debts = {one["id"]: one for one in ledger.rows[obligations]}
    tries = {one["id"]: one for one in ledger.rows[attempts]}
    by_debt = defaultdict(list)
    for one in ledger.rows[failures]:
        by_debt[one["obligation_id"]].append(one)
    found = {}
    for debt_id, several in by_debt.items():
        several.sort(key=lambda one: (one["failed_at"], str(one["attempt_id"])))
        for ordinal, one in enumerate(several, 1):
            attempt, debt = tries[one["attempt_id"]], debts[debt_id]
            country = debt["payer_country"] or attempt["country"]
            since = one["failed_at"] - several[0]["failed_at"]
            found[str(one["attempt_id"])] = RuleFacts.at(
                one["failed_at"],
                "Asia/Kolkata",
                ZONES.get(debt["payer_country"]),
                amount=attempt["amount_minor"],
                currency=attempt["currency"],
                psp=one["psp"],
                method=attempt["method"],
                category=one["category"],
                code=one["code"],
                attempt=ordinal,
                days_since_failure=since // timedelta(days=1),
                customer_tags=tuple(debt["customer_tags"]),
                country=country,
            )
    return found


def loaded(database, org_id, **options):
    with unit_of_work(database.app, org_id) as connection:
        return load_past(connection, org_id, **options)


def facts_of(past):
    rows = past.frame.select("attempt_id", *FACTS).rows()
    return {
        attempt_id: RuleFacts(**dict(zip(FACTS, values, strict=True)))
        for attempt_id, *values in rows
    }


def plain(facts):
    """The frame holds lists where the dataclass has tuples."""
    return {
        key: {name: getattr(one, name) for name in FACTS}
        | {"customer_tags": list(one.customer_tags)}
        for key, one in facts.items()
    }


@pytest.mark.parametrize("piece_bytes", [1, past_module.PIECE_BYTES])
def test_every_failure_is_loaded_as_its_facts(
    database, ledger, other_org, monkeypatch, piece_bytes
):
    monkeypatch.setattr(past_module, "PIECE_BYTES", piece_bytes)
    fill(ledger, seed=1)
    ledger.write(database.worker)
    strange = Ledger(other_org)
    fill(strange, seed=2, debts=3)
    strange.write(database.worker)
    past = loaded(database, ledger.org_id)
    assert dict(past.frame.schema) == PAST_SCHEMA
    assert past.truncated is False
    assert plain(facts_of(past)) == plain(expected(ledger))
    ids = {one["attempt_id"]: one for one in ledger.rows[failures]}
    for row in past.frame.iter_rows(named=True):
        stored = {str(key): one for key, one in ids.items()}[row["attempt_id"]]
        assert row["failed_at"] == stored["failed_at"]
        assert row["case_id"] == (stored["case_id"] and str(stored["case_id"]))


def test_a_limit_leaves_whole_debts_and_says_so(database, ledger):
    fill(ledger, seed=3)
    ledger.write(database.worker)
    everything, total = expected(ledger), len(ledger.rows[failures])
    assert loaded(database, ledger.org_id, limit=total).truncated is False
    cut = loaded(database, ledger.org_id, limit=total - 1)
    assert cut.truncated is True
    assert total - 5 <= cut.frame.height < total
    half = loaded(database, ledger.org_id, limit=total // 2)
    for past in (cut, half):
        found = plain(facts_of(past))
        assert found == {key: plain(everything)[key] for key in found}
    newest = max(str(one["id"]) for one in ledger.rows[obligations])
    assert newest in half.frame["obligation_id"].to_list()


def test_no_failures_are_an_empty_frame(database, org_id):
    past = loaded(database, org_id)
    assert (past.frame.height, past.truncated) == (0, False)
    assert dict(past.frame.schema) == PAST_SCHEMA
    told = backtest(past, NO_RULES, rule_set(("all", {"code": {"is_missing": False}}, STOP)))
    assert (told.failures, told.changed_failures, told.money, told.changes) == (0, 0, (), ())


def test_the_transaction_can_write_nothing_more(database, org_id):
    with unit_of_work(database.app, org_id) as connection:
        load_past(connection, org_id)
        with pytest.raises(InternalError, match="read-only transaction"):
            connection.execute(text("update cases set state = 'open'"))


def test_the_wall_clock_of_the_organisation_follows_its_daylight_saving(database, ledger):
    zone = "America/New_York"
    with unit_of_work(database.worker) as connection:
        connection.execute(text("update organisations set timezone = :zone"), {"zone": zone})
    instants = [
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
        datetime(2026, 7, 4, 3, 59, tzinfo=UTC),
    ]
    wanted = {ledger.failure(ledger.debt(at=at), at): at for at in instants}
    ledger.write(database.worker)
    for attempt_id, facts in facts_of(loaded(database, ledger.org_id)).items():
        local = wanted[attempt_id].astimezone(ZoneInfo(zone))
        assert facts.org_time == local.hour * 60 + local.minute
        assert facts.org_weekday == local.isoweekday()


STOP = {"do": "stop"}
SOON, LATER = {"do": "retry_in", "hours": 6}, {"do": "retry_in", "hours": 12}
VIP = {"customer_tags": {"contains": "vip"}}
MANY = {"attempt": {"ge": 3}}
FRAUD = {"category": {"eq": "fraud_risk"}}


def rule_set(*lines):
    return RuleSet(
        tuple(
            Rule(new_id(NOW), 1, name, place, RuleBody.model_validate({"when": when, "then": [do]}))
            for place, (name, when, do) in enumerate(lines, 1)
        )
    )


def test_a_draft_is_judged_as_one_by_one(database, ledger):
    fill(ledger, seed=5, debts=120)
    ledger.write(database.worker)
    before = rule_set(("fraud", FRAUD, STOP), ("vip", VIP, SOON))
    after = rule_set(("many", MANY, STOP), ("fraud", FRAUD, STOP), ("vip", VIP, LATER))
    told = backtest(loaded(database, ledger.org_id), before, after)

    meant = {("stop", 0): "stop", ("retry_in", 6): "6 h", ("retry_in", 12): "12 h"}

    def outcome(rules, facts):
        fired = evaluate(rules, facts)
        do = fired and fired.deciding
        return (
            ("policy", None) if do is None else (do.do.value, meant[do.do, getattr(do, "hours", 0)])
        )

    facts = expected(ledger)
    failed = {str(one["attempt_id"]): one for one in ledger.rows[failures]}
    changed, last = defaultdict(list), {}
    for key in sorted(facts, key=lambda one: (failed[one]["failed_at"], one)):
        was, would = outcome(before, facts[key]), outcome(after, facts[key])
        if was != would:
            changed[was[0], would[0]].append(key)
            last[failed[key]["obligation_id"]] = facts[key]
    keys = [key for several in changed.values() for key in several]
    assert told.failures == len(facts)
    assert told.debts == len(ledger.rows[obligations])
    assert told.changed_failures == len(keys)
    assert told.changed_debts == len({failed[key]["obligation_id"] for key in keys}) == len(last)
    money = defaultdict(int)
    for one in last.values():
        money[one.currency] += one.amount  # beyond 63 bits, some of it
    assert {one.currency: one.minor for one in told.money} == dict(money)
    assert {(one.before, one.after): one.failures for one in told.changes} == {
        kinds: len(several) for kinds, several in changed.items()
    }
    assert {("retry_in", "retry_in"), ("policy", "stop"), ("retry_in", "stop")} <= {*changed}
    for change in told.changes:
        several = changed[change.before, change.after]
        debts = {failed[key]["obligation_id"] for key in several}
        assert change.debts == len(debts) == sum(one.debts for one in change.money)
        newest = [failed[key]["failed_at"] for key in several[-5:][::-1]]
        assert [one.failed_at for one in change.samples] == newest
        assert {one.attempt_id for one in change.samples} <= {*several}
        for one in change.samples:
            fired = (evaluate(rules, facts[one.attempt_id]) for rules in (before, after))
            assert [one.rule_before, one.rule_after] == [each and each.name for each in fired]
            assert one.amount == facts[one.attempt_id].amount
    assert [(one.name, one.place) for one in told.fires] == [("many", 1), ("fraud", 2), ("vip", 3)]
    assert told.fires[0].failures == sum(one.attempt >= 3 for one in facts.values())


def test_the_same_meaning_spelled_otherwise_changes_nothing(database, ledger):
    fill(ledger, seed=6, debts=10)
    ledger.write(database.worker)
    past = loaded(database, ledger.org_id)
    hours = rule_set(("a", {"code": {"is_missing": False}}, {"do": "wait", "hours": 2}))
    minutes = rule_set(
        ("b", {"not": {"code": {"is_missing": True}}}, {"do": "wait", "minutes": 120})
    )
    assert backtest(past, hours, minutes).changed_failures == 0
    assert backtest(past, hours, NO_RULES).changes[0].before == "wait"


def test_a_large_draft_is_tried_on_fewer_failures(monkeypatch):
    monkeypatch.setattr(backtest_module, "MOST_WORK", 1000)
    two = {"any": [{"attempt": {"eq": n}} for n in (1, 2, 3, 4)]}
    assert affordable(50, NO_RULES, rule_set(("small", MANY, STOP))) == 50
    assert affordable(10**6, rule_set(("a", two, STOP)), rule_set(("b", {"not": two}, STOP))) == 90
