"""POST /v1/classifier and /v1/classifier/rules."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.bodies import bounded
from api.classifier import sample, schemas
from api.dependencies import ServicesOf, Tenant, require_key
from tinko_pipelines.core.failures import overrides
from tinko_pipelines.core.failures.classifier import ErrorInfo
from tinko_pipelines.core.failures.coderow import CodeRow
from tinko_pipelines.core.failures.explain import explain
from tinko_pipelines.core.tenants.api_keys import KeyOwner

MAX_BODY = 512 * 1024  # a webhook's body, or the most rules there may be

router = APIRouter(prefix="/v1/classifier", tags=["classifier"], route_class=bounded(MAX_BODY))

Owner = Annotated[KeyOwner, Depends(require_key)]


@router.post("")
def classify_sample(
    connection: Tenant, owner: Owner, asked: schemas.Question, services: ServicesOf
) -> schemas.Answer:
    """Classify a sample event, the fields of an error or a bare code, with the organisation's own
    rules, and say why. Nothing is stored."""
    error, also = _read(asked)
    environment = services.settings.payment_failure_rules
    own = overrides.overrides_of(connection, [owner.org_id], environment).get(owner.org_id)
    name = own.origin.name if own is not None else None
    return schemas.Answer.of(explain(error, None, own), error, also, name)


@router.get("/rules")
def read_rules(connection: Tenant, owner: Owner, services: ServicesOf) -> schemas.Rules:
    """The merchant's own rules that hold, and all their versions."""
    saved = [_told(one) for one in overrides.list_rules(connection, owner.org_id)]
    if saved:
        return schemas.Rules(origin="database", versions=saved, **dict(saved[0]))
    environment = overrides.environment_overrides(services.settings.payment_failure_rules)
    return schemas.Rules(
        origin="environment" if environment else "none",
        versions=[],
        version=0,
        rules=environment.rules.rules if environment else (),
        created_by=None,
        created_at=None,
    )


@router.get("/rules/{version}")
def read_rules_version(
    connection: Tenant, owner: Owner, version: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> schemas.SavedVersion:
    """One version of them."""
    return _told(overrides.read_rules(connection, owner.org_id, version))


@router.put("/rules")
def save_rules(
    connection: Tenant, owner: Owner, services: ServicesOf, wanted: schemas.NewRules
) -> schemas.SavedVersion:
    """Save the next version; failures classified from now on follow it."""
    saved = overrides.save_rules(
        connection,
        owner.org_id,
        {"rules": wanted.rules},
        services.clock.now(),
        created_by=f"key:{owner.key_id}",
        based_on=wanted.based_on,
    )
    return _told(saved)


def _told(saved: overrides.RulesVersion) -> schemas.SavedVersion:
    return schemas.SavedVersion(
        version=saved.version,
        rules=saved.rules.rules,
        created_by=saved.created_by,
        created_at=saved.created_at,
    )


def _read(asked: schemas.Question) -> tuple[ErrorInfo, tuple[CodeRow, ...]]:
    if asked.event is not None:
        return sample.of_event(asked.event), ()
    if asked.error is not None:
        return ErrorInfo.of(asked.error.model_dump(mode="json", exclude_none=True)), ()
    return sample.of_code(asked.code or "", asked.psp, asked.network)
