"""/v1/policies and the merchant's stop of a case."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, status

from api.bodies import bounded
from api.dependencies import ServicesOf, Tenant, require_key
from api.policies import schemas
from tinko_pipelines.core.recovery import policies
from tinko_pipelines.core.recovery.policy import Policy
from tinko_pipelines.core.recovery.preview import Example, preview
from tinko_pipelines.core.recovery.stopping import stop_case
from tinko_pipelines.core.rules.model import NO_RULES
from tinko_pipelines.core.rules.store import rules_as_of
from tinko_pipelines.core.tenants.api_keys import KeyOwner

MAX_BODY = 64 * 1024  # a policy with everything in it is a tenth of that

router = APIRouter(prefix="/v1", tags=["policies"], route_class=bounded(MAX_BODY))

Owner = Annotated[KeyOwner, Depends(require_key)]


@router.get("/policies")
def list_policies(connection: Tenant, owner: Owner, services: ServicesOf) -> schemas.PolicyVersions:
    """Every version of the organisation's policy, newest first."""
    found = policies.policy_versions(connection, owner.org_id, services.clock.now())
    return schemas.PolicyVersions(items=[_told(one, found[0]) for one in found])


@router.post("/policies", status_code=status.HTTP_201_CREATED)
def create_policy_version(
    connection: Tenant, owner: Owner, services: ServicesOf, policy: Policy
) -> schemas.PolicyVersion:
    """Make a new version: cases opened from now on follow it, running ones stay on theirs.

    The policy that is in force already makes none.
    """
    made = policies.add_policy_version(connection, owner.org_id, policy, services.clock.now())
    return _told(made, made)


@router.post("/policies/preview")
def preview_policy(
    connection: Tenant, owner: Owner, services: ServicesOf, asked: schemas.PreviewRequest
) -> schemas.PreviewAnswer:
    """When a draft would retry one failure, were every retry to fail; nothing is stored."""
    rules = NO_RULES
    if asked.with_rules:
        rules = rules_as_of(connection, owner.org_id, services.clock.now())
    drawn = asked.model_dump(exclude={"policy", "with_rules"})
    drawn |= {
        "psp": asked.psp.value,
        "customer_tags": asked.customer_tags or (),
        "org_timezone": policies.org_timezone(connection, owner.org_id),
    }
    found = preview(asked.policy, Example(**drawn), rules)
    return schemas.PreviewAnswer(
        retries=[
            schemas.PlannedRetry(at=one.at, reasons=one.reasons, guards=one.guard_rows)
            for one in found.retries
        ],
        ending=schemas.Ending(
            action=found.ending.action, at=found.ended_at, reasons=found.ending.reasons
        ),
    )


@router.post("/cases/{case_id}/stop")
def stop(connection: Tenant, services: ServicesOf, case_id: UUID) -> schemas.StoppedCase:
    """Stop the recovery of one debt: everything planned for it is cancelled at once.

    What is with the PSP already keeps its own end, and a success of it still counts. Stopping a
    stopped case changes nothing; one that is closed otherwise is a conflict.
    """
    return schemas.StoppedCase.model_validate(
        stop_case(connection, case_id, services.clock.now()), from_attributes=True
    )


def _told(one: policies.PolicyVersion, newest: policies.PolicyVersion) -> schemas.PolicyVersion:
    return schemas.PolicyVersion(
        id=one.id,
        version=one.version,
        current=one.id == newest.id,
        policy=one.policy,
        created_at=one.created_at,
    )
