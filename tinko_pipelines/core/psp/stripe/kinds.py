"""Which Stripe events and objects speak of a debt, and how each is read. Data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from tinko_pipelines.core.psp.stripe import aftermath, mapping
from tinko_pipelines.core.psp.types import Observation

Observer = Callable[[Mapping[str, Any]], Observation]

OBJECTS: Mapping[str, Observer] = MappingProxyType(
    {
        "charge": mapping.charge,
        "payment_intent": mapping.payment_intent,
        "invoice": mapping.invoice,
        "checkout.session": mapping.checkout_session,
        "invoice_payment": mapping.invoice_payment,
        "refund": aftermath.refund,
        "dispute": aftermath.dispute,
    }
)


def _kinds(*groups: tuple[str, str]) -> Iterable[str]:
    return (f"{prefix}.{name}" for prefix, names in groups for name in names.split())


OBSERVED: Mapping[str, Observer] = MappingProxyType(
    dict.fromkeys(
        _kinds(("charge", "succeeded failed pending captured expired updated")),
        mapping.charge,
    )
    | dict.fromkeys(
        _kinds(
            (
                "payment_intent",
                "created processing requires_action succeeded payment_failed canceled "
                "partially_funded amount_capturable_updated",
            )
        ),
        mapping.payment_intent,
    )
    | dict.fromkeys(
        _kinds(
            (
                "invoice",
                "created finalized updated paid payment_succeeded payment_failed "
                "payment_action_required voided marked_uncollectible overdue overpaid sent "
                "will_be_due finalization_failed",
            )
        ),
        mapping.invoice,
    )
    | dict.fromkeys(_kinds(("invoice_payment", "paid attached")), mapping.invoice_payment)
    | dict.fromkeys(
        _kinds(
            (
                "checkout.session",
                "completed expired async_payment_succeeded async_payment_failed",
            )
        ),
        mapping.checkout_session,
    )
    | dict.fromkeys(
        _kinds(("refund", "created updated failed"), ("charge.refund", "updated")),
        aftermath.refund,
    )
    | dict.fromkeys(
        _kinds(("charge.dispute", "created updated closed funds_withdrawn funds_reinstated")),
        aftermath.dispute,
    )
    | {
        "charge.refunded": aftermath.refunded_charge,
        "customer.subscription.deleted": aftermath.subscription_deleted,
        "customer.subscription.updated": aftermath.subscription,
        "customer.subscription.paused": aftermath.subscription,
        "customer.subscription.resumed": aftermath.subscription,
        "payment_method.detached": aftermath.payment_method_lost,
        "mandate.updated": aftermath.mandate,
    }
)

# these say nothing of a debt: stored, and marked ignored
IGNORED = frozenset(
    _kinds(
        ("payout", "created updated paid failed canceled reconciliation_completed"),
        ("balance", "available"),
        ("invoice", "deleted upcoming"),
        ("invoice_payment", "detached"),
        ("invoiceitem", "created deleted"),
        ("customer", "created updated deleted"),
        (
            "customer.subscription",
            "created trial_will_end pending_update_applied pending_update_expired",
        ),
        ("payment_method", "attached updated automatically_updated"),
        ("setup_intent", "created succeeded setup_failed canceled requires_action"),
        ("product", "created updated deleted"),
        ("price", "created updated deleted"),
        ("plan", "created updated deleted"),
        ("account", "updated"),
    )
)

# the kinds an API call that makes a charge causes: only there is the call's key the charge's
CREATING = frozenset({"charge.succeeded", "charge.failed", "charge.pending"})
