"""What rules refuse, and how they say where."""

import json

import pytest

from tinko_pipelines.core.rules.actions import DECIDING
from tinko_pipelines.core.rules.reading import RuleInvalid, read_rule
from tinko_pipelines.core.rules.vocabulary import (
    MAX_CONDITIONS,
    MAX_VALUES,
    MAX_WAIT_MINUTES,
    Do,
)

STOP = [{"do": "stop"}]
FINE = {"code": {"eq": "card_declined"}}
INR = {"currency": "INR"}

EXAMPLE = {
    Do.RETRY_AT: {"time": "09:30"},
    Do.RETRY_IN: {"hours": 6},
    Do.NEXT_WINDOW: {"window": "paydays"},
    Do.ASK_PAYER: {"channels": ["email", "sms"]},
    Do.OFFER_PSP: {"psp": "razorpay"},
    Do.WAIT: {"minutes": 90},
    Do.STOP: {},
    Do.TAG: {"words": ["big"]},
}


def nested(depth):
    tree = FINE
    for _ in range(depth - 1):
        tree = {"not": tree}
    return tree


def faults(when=FINE, then=STOP, max_depth=8):
    with pytest.raises(RuleInvalid) as caught:
        read_rule({"when": when, "then": then}, max_depth)
    told = caught.value.extra["errors"]
    assert all(one["path"] and one["message"] for one in told)
    assert (caught.value.status, caught.value.code) == (422, "rule_invalid")
    return {one["path"]: one["message"] for one in told}


def comparison(field, test):
    return {"all": [FINE, FINE, {"not": {field: test}}]}


@pytest.mark.parametrize(
    ("field", "test", "where"),
    [
        ("amount", {"ge": -1} | INR, ".ge"),
        ("amount", {"ge": 100.5} | INR, ".ge"),
        ("amount", {"ge": 100.0} | INR, ".ge"),
        ("amount", {"ge": "100"} | INR, ".ge"),
        ("amount", {"ge": True} | INR, ".ge"),
        ("amount", {"ge": float("nan")} | INR, ".ge"),
        ("amount", {"ge": 2**63} | INR, ".ge"),
        ("amount", {"ge": 10**400} | INR, ".ge"),
        ("amount", {"ge": 100}, ""),
        ("amount", {"is_missing": True} | INR, ""),
        ("amount", {"ge": 100, "currency": "XXX"}, ".currency"),
        ("amount", {"ge": 100, "currency": "inr"}, ".currency"),
        ("amount", {"ge": 100, "currency": 356}, ".currency"),
        ("amount", {"between": [200, 100]} | INR, ""),
        ("amount", {"between": [100]} | INR, ".between[1]"),
        ("amount", {"in": []} | INR, ".in"),
        ("amount", {"in": [1] * (MAX_VALUES + 1)} | INR, ".in"),
        ("amount", {"in": [1, 2, -3]} | INR, ".in[2]"),
        ("amount", {"ge": 1, "le": 2} | INR, ""),
        ("amount", INR, ""),
        ("amount", {"contains": 1} | INR, ".contains"),
        ("amount", {"eq": None} | INR, ""),
        ("amount", [], ""),
        ("currency", {"eq": "RUPEE"}, ".eq"),
        ("psp", {"eq": "paypal"}, ".eq"),
        ("category", {"in": ["fraud_risk", "bad_luck"]}, ".in[1]"),
        ("code", {"gt": "a"}, ".gt"),
        ("code", {"eq": ""}, ".eq"),
        ("code", {"eq": "a\0"}, ".eq"),
        ("code", {"eq": "\ud800"}, ".eq"),
        ("code", {"eq": " padded"}, ".eq"),
        ("code", {"eq": "x" * 201}, ".eq"),
        ("code", {"eq": ["deep", ["list"]]}, ".eq"),
        ("code", {"is_missing": 1}, ".is_missing"),
        ("attempt", {"ge": 0}, ".ge"),
        ("days_since_failure", {"lt": 10**6}, ".lt"),
        ("customer_tags", {"eq": "vip"}, ".eq"),
        ("country", {"eq": "India"}, ".eq"),
        ("local_time", {"eq": "9:30"}, ".eq"),
        ("local_time", {"eq": "24:00"}, ".eq"),
        ("local_time", {"ge": "09:30\n"}, ".ge"),
        ("local_time", {"ge": "09:30", "zone": "Mars/Base"}, ".zone"),
        ("weekday", {"in": ["mon", 3]}, ".in[1]"),
    ],
)
def test_a_malformed_comparison_is_told_by_its_path(field, test, where):
    assert list(faults(comparison(field, test))) == [f"when.all[2].not.{field}{where}"]


@pytest.mark.parametrize(
    ("when", "path"),
    [
        (None, "when"),
        ([], "when"),
        ({}, "when"),
        ("amount > 5", "when"),
        ({"all": [], "any": []}, "when"),
        ({"all": []}, "when.all"),
        ({"any": {"code": {"eq": "x"}}}, "when.any"),
        ({"not": [FINE]}, "when.not"),
        ({"any": [FINE, {"colour": {"eq": "red"}}]}, "when.any[1].colour"),
        ({"any": [FINE, 7]}, "when.any[1]"),
        ({"\n" * 80: 1}, "when." + "�" * 40),
    ],
)
def test_a_malformed_tree_is_told_by_its_path(when, path):
    assert list(faults(when)) == [path]


def test_every_fault_is_told_at_once_and_in_order():
    broken = [{"amount": {"ge": -n} | INR} for n in (1, 2)] + [{"psp": {"eq": "cash"}}]
    told = faults({"any": broken}, [{"do": "ask_payer", "channels": ["pigeon"]}])
    assert list(told) == [
        "when.any[0].amount.ge",
        "when.any[1].amount.ge",
        "when.any[2].psp.eq",
        "then[0].channels[0]",
    ]


@pytest.mark.parametrize("limit", [1, 8, 64])
def test_depth_is_limited_by_the_setting(limit):
    body = {"when": nested(limit), "then": STOP}
    assert read_rule(body, limit).document() == body
    [(path, message)] = faults(nested(limit + 1), max_depth=limit).items()
    assert path == "when" + ".not" * limit
    assert str(limit) in message


def test_a_hostile_depth_costs_no_recursion():
    assert len(faults(nested(200_000))) == 1


def test_a_hostile_size_is_refused():
    wide = {"any": [FINE] * (MAX_CONDITIONS + 1)}
    assert list(faults(wide)) == ["when.any"]
    bushy = {"all": [{"any": [FINE] * 20}] * 20}
    assert list(faults(bushy)) == ["when"]
    just = {"any": [FINE] * (MAX_CONDITIONS - 1)}
    assert read_rule({"when": just, "then": STOP}, 8).document()["when"] == just


@pytest.mark.parametrize(
    ("then", "path"),
    [
        (None, "then"),
        ([], "then"),
        ({"do": "stop"}, "then"),
        (STOP * 9, "then"),
        (["stop"], "then[0].do"),
        ([{"do": "dance"}], "then[0].do"),
        ([{"do": ["stop"]}], "then[0].do"),
        ([{"do": "stop", "now": True}], "then[0].now"),
        ([{"do": "retry_at"}], "then[0]"),
        ([{"do": "retry_at", "time": "09:30", "instant": "2026-12-01T09:30:00Z"}], "then[0]"),
        ([{"do": "retry_at", "instant": "2026-12-01T09:30:00"}], "then[0].instant"),
        ([{"do": "retry_in"}], "then[0]"),
        ([{"do": "retry_in", "hours": -1}], "then[0].hours"),
        ([{"do": "wait", "hours": 1.5}], "then[0].hours"),
        ([{"do": "wait", "minutes": MAX_WAIT_MINUTES + 1}], "then[0]"),
        ([{"do": "next_window", "window": "full_moon"}], "then[0].window"),
        ([{"do": "ask_payer", "channels": []}], "then[0].channels"),
        ([{"do": "ask_payer", "channels": ["sms", "sms"]}], "then[0]"),
        ([{"do": "ask_payer", "channels": ["fax"]}], "then[0].channels[0]"),
        ([{"do": "offer_psp", "psp": "paypal"}], "then[0].psp"),
        ([{"do": "tag", "words": ["ok", ""]}], "then[0].words[1]"),
    ],
)
def test_a_malformed_action_is_told_by_its_path(then, path):
    assert list(faults(then=then)) == [path]


def test_every_action_can_be_asked_for():
    assert {*EXAMPLE} == {*Do}
    for do, more in EXAMPLE.items():
        body = {"when": FINE, "then": [{"do": do.value} | more]}
        assert read_rule(json.loads(json.dumps(body)), 8).document() == body


@pytest.mark.parametrize("first", list(Do))
@pytest.mark.parametrize("second", list(Do))
def test_actions_that_contradict_each_other_are_refused(first, second):
    then = [{"do": one.value} | EXAMPLE[one] for one in (first, second)]
    both_decide = first in DECIDING and second in DECIDING
    nobody_asked = {first, second} == {Do.STOP, Do.OFFER_PSP}
    if first is second or both_decide or nobody_asked:
        assert list(faults(then=then)) == ["then[1]"]
    else:
        assert len(read_rule({"when": FINE, "then": then}, 8).then) == 2


@pytest.mark.parametrize("data", [None, 5, "rule", [], {}, {"when": FINE}, {"then": STOP}])
def test_what_is_no_rule_is_refused(data):
    with pytest.raises(RuleInvalid):
        read_rule(data, 8)


def test_an_unknown_key_is_refused_and_paths_may_be_prefixed():
    with pytest.raises(RuleInvalid) as caught:
        read_rule({"when": FINE, "then": STOP, "else": STOP}, 8, path="rules[3]")
    assert [one["path"] for one in caught.value.extra["errors"]] == ["rules[3].else"]
