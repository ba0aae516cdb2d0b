"""/v1/rules: keep rules, explain what they make of a failure, try a draft on the past."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, status

from api.dependencies import ServicesOf, Tenant
from api.rules import requests
from api.rules.body import JsonBody, Owner
from api.rules.schemas import BacktestOut, Evaluation, FiredOut, RuleList, RuleOut
from tinko_pipelines.core.recovery.places import timezone_of
from tinko_pipelines.core.recovery.policies import org_timezone
from tinko_pipelines.core.rules.backtest import Backtest, affordable, backtest
from tinko_pipelines.core.rules.drafts import read_draft, read_rule_set
from tinko_pipelines.core.rules.engine import evaluate, explain
from tinko_pipelines.core.rules.facts import RuleFacts
from tinko_pipelines.core.rules.past import load_past
from tinko_pipelines.core.rules.reading import read_values
from tinko_pipelines.core.rules.store import RuleStore

router = APIRouter(prefix="/v1/rules", tags=["rules"])


def store(connection: Tenant, owner: Owner) -> RuleStore:
    """The rules of the key's organisation."""
    return RuleStore(connection, owner.org_id)


Rules = Annotated[RuleStore, Depends(store)]


def writer(owner: Owner) -> str:
    """Who makes a version."""
    return f"key:{owner.key_id}"


Writer = Annotated[str, Depends(writer)]


@router.get("", response_model=RuleList, response_model_exclude_unset=True)
def list_rules(
    rules: Rules, deleted: Annotated[bool, Query(description="deleted ones too")] = False
) -> RuleList:
    """The newest version of every rule, in the order they are asked."""
    return RuleList(items=[RuleOut.of(one) for one in rules.current(deleted=deleted)])


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=RuleOut,
    response_model_exclude_unset=True,
    openapi_extra=requests.RULE,
)
def save_rule(body: JsonBody, services: ServicesOf, by: Writer, rules: Rules) -> RuleOut:
    """Keep a new rule at its place, by default after all others."""
    draft, _ = read_draft(body, services.settings.rules_default_max_depth)
    return RuleOut.of(rules.save(draft, by, services.clock.now()))


@router.post(
    "/order",
    response_model=RuleList,
    response_model_exclude_unset=True,
    openapi_extra=requests.ORDER,
)
def reorder_rules(body: JsonBody, services: ServicesOf, by: Writer, rules: Rules) -> RuleList:
    """Put the rules in force into another order; moved ones get a new version."""
    wanted = read_values(requests.OrderIn, body)
    moved = rules.reorder(wanted.rule_ids, by, services.clock.now())
    return RuleList(items=[RuleOut.of(one) for one in moved])


@router.post(
    "/evaluate",
    response_model=Evaluation,
    response_model_exclude_unset=True,
    openapi_extra=requests.EVALUATE,
)
def evaluate_rules(body: JsonBody, services: ServicesOf, rules: Rules) -> Evaluation:
    """Which rule fires on a failure, and why: drafts, or the rules in force."""
    asked = read_values(requests.EvaluateIn, body)
    depth = services.settings.rules_default_max_depth
    tried = rules.as_of() if asked.rules is None else read_rule_set(asked.rules, depth)
    known = asked.facts.model_dump(exclude={"at", "payer_country"})
    facts = RuleFacts.at(
        asked.facts.at or services.clock.now(),
        org_timezone(rules.connection, rules.org_id),
        timezone_of(asked.facts.payer_country),
        **known | {"country": asked.facts.country or asked.facts.payer_country},
    )
    fired = evaluate(tried, facts)
    return Evaluation(
        fired=None if fired is None else FiredOut.of(fired),
        explanations=[explain(one, facts) for one in tried],
    )


@router.post("/backtest", response_model=BacktestOut, openapi_extra=requests.BACKTEST)
def backtest_rules(body: JsonBody, services: ServicesOf, rules: Rules) -> Backtest:
    """What a draft would have changed over the organisation's past failures. Writes nothing."""
    in_force = rules.as_of()
    depth = services.settings.rules_default_max_depth
    draft, limit = requests.read_backtest(body, in_force, depth)
    rows = affordable(limit, in_force, draft)
    return backtest(load_past(rules.connection, rules.org_id, rows), in_force, draft)


@router.get("/{rule_id}", response_model=RuleOut, response_model_exclude_unset=True)
def read_rule(rule_id: UUID, rules: Rules) -> RuleOut:
    """The newest version of a rule, deleted or not."""
    return RuleOut.of(rules.get(rule_id))


@router.put(
    "/{rule_id}",
    response_model=RuleOut,
    response_model_exclude_unset=True,
    openapi_extra=requests.RULE,
)
def edit_rule(
    rule_id: UUID, body: JsonBody, services: ServicesOf, by: Writer, rules: Rules
) -> RuleOut:
    """Make a new version. With `version`, a conflict when another one was made since."""
    draft, of_version = read_draft(body, services.settings.rules_default_max_depth)
    return RuleOut.of(rules.edit(rule_id, draft, by, services.clock.now(), of_version))


@router.delete("/{rule_id}", response_model=RuleOut, response_model_exclude_unset=True)
def delete_rule(rule_id: UUID, services: ServicesOf, by: Writer, rules: Rules) -> RuleOut:
    """Take a rule out of force. Its versions stay, and it can be restored."""
    return RuleOut.of(rules.delete(rule_id, by, services.clock.now()))


@router.post(
    "/{rule_id}/restore",
    response_model=RuleOut,
    response_model_exclude_unset=True,
    openapi_extra=requests.RESTORE,
)
def restore_rule(
    rule_id: UUID, body: JsonBody, services: ServicesOf, by: Writer, rules: Rules
) -> RuleOut:
    """Bring back a deleted rule, or what an older version said, as a new version."""
    version = read_values(requests.RestoreIn, {} if body is None else body).version
    return RuleOut.of(rules.restore(rule_id, version, by, services.clock.now()))


@router.get("/{rule_id}/versions", response_model=RuleList, response_model_exclude_unset=True)
def list_versions(rule_id: UUID, rules: Rules) -> RuleList:
    """Every version of a rule, newest first."""
    return RuleList(items=[RuleOut.of(one) for one in rules.versions(rule_id)])
