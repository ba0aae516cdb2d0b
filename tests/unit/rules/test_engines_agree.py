"""One by one, compiled, and a reader of the document that shares nothing with them."""

import json
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rules.rule_strategies import conditions, documents, facts
from tinko_pipelines.core.rules.compiled import compile_condition, facts_frame, fire
from tinko_pipelines.core.rules.engine import evaluate, explain, holds
from tinko_pipelines.core.rules.model import Rule, RuleBody, RuleSet
from tinko_pipelines.core.rules.reading import read_rule

STOP = [{"do": "stop"}]
DAYS_OF_WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def naive(node, seen):
    """The documented meaning, read straight from the JSON."""
    [(key, inner)] = node.items()
    if key == "all":
        return False not in [naive(one, seen) for one in inner]
    if key == "any":
        return True in [naive(one, seen) for one in inner]
    if key == "not":
        return not naive(inner, seen)
    test = dict(inner)
    zone, currency = test.pop("zone", "org"), test.pop("currency", None)
    [(operator, operand)] = test.items()
    attribute = {"local_time": f"{zone}_time", "weekday": f"{zone}_weekday"}.get(key, key)
    value = getattr(seen, attribute)
    if key == "customer_tags" and value == ():
        value = None
    if operator == "is_missing":
        return (value is None) == operand
    if value is None or (key == "amount" and currency != seen.currency):
        return False
    if key == "local_time":
        value = f"{value // 60:02d}:{value % 60:02d}"
    if key == "weekday":
        value = DAYS_OF_WEEK[value - 1]
    if operator == "between":
        low, high = operand
        if low > high:  # over midnight
            return value >= low or value <= high
        return low <= value <= high
    return {
        "eq": lambda: value == operand,
        "ne": lambda: value != operand,
        "lt": lambda: value < operand,
        "le": lambda: value <= operand,
        "gt": lambda: value > operand,
        "ge": lambda: value >= operand,
        "in": lambda: value in operand,
        "contains": lambda: operand in value,
    }[operator]()


@settings(max_examples=100, deadline=None)
@given(conditions, st.lists(facts, min_size=1, max_size=20))
def test_one_condition_means_the_same_everywhere(condition, rows):
    tree = read_rule({"when": condition, "then": STOP}, max_depth=64).when
    expected = [naive(condition, one) for one in rows]
    assert [holds(tree, one) for one in rows] == expected
    answer = facts_frame(rows).select(answer=compile_condition(tree))["answer"]
    assert answer.to_list() == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(documents, st.integers(1, 3)), max_size=6), st.lists(facts, max_size=20))
def test_the_same_rule_fires_and_places_decide(drafts, rows):
    rules = RuleSet(
        tuple(
            Rule(uuid.UUID(int=n), 1, f"rule {n}", place, read_rule(document, max_depth=64))
            for n, (document, place) in enumerate(drafts)
        )
    )
    order = [one.rule_id for one in rules]
    by_place = sorted((place, n) for n, (_, place) in enumerate(drafts))
    assert [one.int for one in order] == [n for _, n in by_place]
    fired = [evaluate(rules, one) for one in rows]
    numbers = [None if one is None else order.index(one.rule_id) for one in fired]
    assert fire(rules, facts_frame(rows)).to_list() == numbers
    for row, number in zip(rows, numbers, strict=True):
        truths = [naive(drafts[n][0]["when"], row) for _, n in by_place]
        assert number == (truths.index(True) if True in truths else None)


@settings(max_examples=40, deadline=None)
@given(documents)
def test_a_rule_survives_being_stored(document):
    body = read_rule(document, max_depth=64)
    stored = json.loads(json.dumps(body.document()))
    assert stored == document
    assert RuleBody.model_validate(stored) == body


@settings(max_examples=40, deadline=None)
@given(documents, facts)
def test_an_explanation_tells_every_node_and_adds_up(document, seen):
    rule = Rule(uuid.UUID(int=1), 3, "any", 1, read_rule(document, max_depth=64))
    told = explain(rule, seen)
    json.dumps(told)
    assert told["holds"] == holds(rule.body.when, seen) == told["when"]["holds"]

    def walk(node, source):
        assert node["holds"] == naive(source, seen)
        [(key, inner)] = source.items()
        below = {"all": inner, "any": inner, "not": [inner]}.get(key, [])
        parts = node.get("parts", [])
        assert len(parts) == len(below)
        if not below:
            assert node["test"] == source
            assert "seen" in node
        for part, one in zip(parts, below, strict=True):
            assert part["path"].startswith(f"{node['path']}.{key}")
            walk(part, one)

    walk(told["when"], document["when"])
