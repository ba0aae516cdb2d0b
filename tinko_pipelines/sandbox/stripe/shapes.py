"""Stripe's objects as API version 2026-10-28 shows them, new and empty of history."""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import Instrument
from tinko_pipelines.sandbox.store import Doc

API_VERSION = "2026-10-28.endive"
_NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def billing_details(name: str | None, email: str | None, phone: str | None) -> Doc:
    return {"address": dict(_NO_ADDRESS), "email": email, "name": name, "phone": phone,
            "tax_id": None}  # fmt: skip


def listing(url: str, data: list[Any], has_more: bool = False) -> Doc:
    return {"object": "list", "url": url, "has_more": has_more, "data": data}


def customer(id_: str, created: int, **of: Any) -> Doc:
    return {
        "id": id_, "object": "customer", "address": None, "balance": 0, "created": created,
        "currency": None, "default_source": None, "delinquent": False, "description": None,
        "email": None, "invoice_prefix": id_[4:12].upper(),
        "invoice_settings": {"custom_fields": None, "default_payment_method": None,
                             "footer": None, "rendering_options": None},
        "livemode": False, "metadata": {}, "name": None, "next_invoice_sequence": 1,
        "phone": None, "preferred_locales": [], "shipping": None, "tax_exempt": "none",
        "test_clock": None, **of,
    }  # fmt: skip


def payment_method(id_: str, created: int, card: Instrument, **of: Any) -> Doc:
    return {
        "id": id_, "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": billing_details(None, None, None),
        "card": {
            "brand": card.network, "checks": {"address_line1_check": None,
            "address_postal_code_check": None, "cvc_check": "pass"}, "country": card.country,
            "display_brand": card.network, "exp_month": card.exp_month, "exp_year": card.exp_year,
            "fingerprint": card.fingerprint, "funding": card.funding, "generated_from": None,
            "last4": card.last4, "networks": {"available": [card.network], "preferred": None},
            "regulated_status": "unregulated", "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": created, "customer": None, "customer_account": None, "livemode": False,
        "metadata": {}, "type": "card", **of,
    }  # fmt: skip


def payment_intent(id_: str, created: int, amount: int, currency: str, **of: Any) -> Doc:
    return {
        "id": id_, "object": "payment_intent", "amount": amount, "amount_capturable": 0,
        "amount_details": {"tip": {}}, "amount_received": 0, "application": None,
        "application_fee_amount": None, "automatic_payment_methods": None, "canceled_at": None,
        "cancellation_reason": None, "capture_method": "automatic", "client_secret": None,
        "confirmation_method": "automatic", "created": created, "currency": currency,
        "customer": None, "customer_account": None, "description": None,
        "excluded_payment_method_types": None, "last_payment_error": None, "latest_charge": None,
        "livemode": False, "metadata": {}, "next_action": None, "on_behalf_of": None,
        "payment_method": None, "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"], "processing": None, "receipt_email": None,
        "review": None, "setup_future_usage": None, "shipping": None, "source": None,
        "statement_descriptor": None, "statement_descriptor_suffix": None,
        "status": "requires_payment_method", "transfer_data": None, "transfer_group": None, **of,
    }  # fmt: skip


def charge(id_: str, created: int, intent: Doc, method: Doc, present: bool) -> Doc:
    """A charge on a PaymentIntent; off-session no CVC is sent, so its check is null."""
    card = method["card"]
    return {
        "id": id_, "object": "charge", "amount": intent["amount"], "amount_captured": 0,
        "amount_refunded": 0, "application": None, "application_fee": None,
        "application_fee_amount": None, "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX", "captured": False, "created": created,
        "currency": intent["currency"], "customer": intent["customer"],
        "description": intent["description"], "disputed": False,
        "failure_balance_transaction": None, "failure_code": None, "failure_message": None,
        "fraud_details": {}, "livemode": False, "metadata": dict(intent["metadata"]),
        "on_behalf_of": None, "outcome": None, "paid": False, "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {
            "card": {
                "amount_authorized": None, "authorization_code": None, "brand": card["brand"],
                "checks": {"address_line1_check": None, "address_postal_code_check": None,
                           "cvc_check": "pass" if present else None},
                "country": card["country"], "exp_month": card["exp_month"],
                "exp_year": card["exp_year"], "extended_authorization": {"status": "disabled"},
                "fingerprint": card["fingerprint"], "funding": card["funding"],
                "incremental_authorization": {"status": "unavailable"}, "installments": None,
                "last4": card["last4"], "mandate": None,
                "multicapture": {"status": "unavailable"}, "network": card["brand"],
                "network_token": {"used": False}, "network_transaction_id": None,
                "overcapture": {"maximum_amount_capturable": intent["amount"],
                                "status": "unavailable"},
                "regulated_status": "unregulated", "three_d_secure": None, "wallet": None,
            },
            "type": "card",
        },
        "receipt_email": None, "receipt_number": None, "receipt_url": None, "refunded": False,
        "review": None, "shipping": None, "source": None, "source_transfer": None,
        "statement_descriptor": None, "statement_descriptor_suffix": None, "status": "failed",
        "transfer_data": None, "transfer_group": None,
    }  # fmt: skip


def invoice(id_: str, created: int, amount: int, currency: str, **of: Any) -> Doc:
    return {
        "id": id_, "object": "invoice", "account_country": "US", "account_name": "Sandbox",
        "account_tax_ids": None, "amount_due": amount, "amount_overpaid": 0, "amount_paid": 0,
        "amount_remaining": amount, "amount_shipping": 0, "application": None, "attempt_count": 0,
        "attempted": False, "auto_advance": False,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None,
                          "provider": None, "status": None},
        "automatically_finalizes_at": None, "billing_reason": "manual",
        "collection_method": "charge_automatically", "created": created, "currency": currency,
        "custom_fields": None, "customer": None, "customer_account": None,
        "customer_address": None, "customer_email": None, "customer_name": None,
        "customer_phone": None, "customer_shipping": None, "customer_tax_exempt": "none",
        "customer_tax_ids": [], "default_payment_method": None, "default_source": None,
        "default_tax_rates": [], "description": None, "discounts": [], "due_date": None,
        "effective_at": None, "ending_balance": None, "footer": None, "from_invoice": None,
        "hosted_invoice_url": None, "invoice_pdf": None, "issuer": {"type": "self"},
        "last_finalization_error": None, "latest_revision": None,
        "lines": listing(f"/v1/invoices/{id_}/lines", []), "livemode": False, "metadata": {},
        "next_payment_attempt": None, "number": None, "on_behalf_of": None, "parent": None,
        "payment_settings": {"default_mandate": None, "payment_method_options": None,
                             "payment_method_types": None},
        "period_end": created, "period_start": created, "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0, "receipt_number": None, "rendering": None,
        "shipping_cost": None, "shipping_details": None, "starting_balance": 0,
        "statement_descriptor": None, "status": "draft",
        "status_transitions": {"finalized_at": None, "marked_uncollectible_at": None,
                               "paid_at": None, "voided_at": None},
        "subtotal": amount, "subtotal_excluding_tax": amount, "test_clock": None,
        "total": amount, "total_discount_amounts": [], "total_excluding_tax": amount,
        "total_pretax_credit_amounts": [], "total_taxes": [], "webhooks_delivered_at": created,
        **of,
    }  # fmt: skip


def invoice_payment(id_: str, created: int, bill: Doc, intent_id: str) -> Doc:
    return {
        "id": id_, "object": "invoice_payment", "amount_paid": None,
        "amount_requested": bill["amount_due"], "created": created, "currency": bill["currency"],
        "invoice": bill["id"], "is_default": True, "livemode": False,
        "payment": {"payment_intent": intent_id, "type": "payment_intent"}, "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }  # fmt: skip


def session(id_: str, created: int, amount: int, currency: str, **of: Any) -> Doc:
    return {
        "id": id_, "object": "checkout.session", "after_expiration": None,
        "allow_promotion_codes": None, "amount_subtotal": amount, "amount_total": amount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None, "cancel_url": None, "client_reference_id": None,
        "client_secret": None, "consent": None, "consent_collection": None, "created": created,
        "currency": currency, "currency_conversion": None, "custom_fields": [], "customer": None,
        "customer_account": None, "customer_creation": None, "customer_details": None,
        "customer_email": None, "discounts": [], "expires_at": created + 86400, "invoice": None,
        "livemode": False, "locale": None, "metadata": {}, "mode": "payment",
        "origin_context": None, "payment_intent": None, "payment_link": None,
        "payment_method_collection": "if_required", "payment_method_options": {},
        "payment_method_types": ["card"], "payment_status": "unpaid", "permissions": None,
        "phone_number_collection": {"enabled": False}, "recovered_from": None,
        "saved_payment_method_options": None, "setup_intent": None, "status": "open",
        "submit_type": None, "subscription": None, "success_url": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted", "url": None, "wallet_options": None, **of,
    }  # fmt: skip


def refund(id_: str, created: int, paid: Doc, amount: int, **of: Any) -> Doc:
    return {
        "id": id_, "object": "refund", "amount": amount, "balance_transaction": None,
        "charge": paid["id"], "created": created, "currency": paid["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"}, "metadata": {},
        "payment_intent": paid["payment_intent"], "reason": None, "receipt_number": None,
        "source_transfer_reversal": None, "status": "succeeded", "transfer_reversal": None, **of,
    }  # fmt: skip


def dispute(id_: str, created: int, paid: Doc) -> Doc:
    return {
        "id": id_, "object": "dispute", "amount": paid["amount"], "balance_transactions": [],
        "charge": paid["id"], "created": created, "currency": paid["currency"],
        "enhanced_eligibility_types": [], "evidence": {},
        "evidence_details": {"due_by": created + 7 * 86400, "enhanced_eligibility": {},
                             "has_evidence": False, "past_due": False, "submission_count": 0},
        "is_charge_refundable": False, "livemode": False, "metadata": {},
        "payment_intent": paid["payment_intent"],
        "payment_method_details": {"card": {"brand": "visa", "case_type": "chargeback",
                                            "network_reason_code": "10.4"}, "type": "card"},
        "reason": "fraudulent", "status": "needs_response",
    }  # fmt: skip


def balance_transaction(id_: str, created: int, *, amount: int, fee: int, currency: str,
                        kind: str, source: str, available_on: int) -> Doc:  # fmt: skip
    details = [{"amount": fee, "application": None, "currency": currency,
                "description": "Stripe processing fees", "type": "stripe_fee"}]  # fmt: skip
    return {
        "id": id_, "object": "balance_transaction", "amount": amount,
        "available_on": available_on, "balance_type": "payments", "created": created,
        "currency": currency, "description": None, "exchange_rate": None, "fee": fee,
        "fee_details": details if fee else [], "net": amount - fee, "reporting_category": kind,
        "source": source, "status": "pending", "type": kind,
    }  # fmt: skip


def payout(id_: str, created: int, amount: int, currency: str, arrival: int) -> Doc:
    return {
        "id": id_, "object": "payout", "amount": amount, "application_fee": None,
        "application_fee_amount": None, "arrival_date": arrival, "automatic": True,
        "balance_transaction": None, "created": created, "currency": currency,
        "description": "STRIPE PAYOUT", "destination": "ba_sandbox", "failure_balance_transaction":
        None, "failure_code": None, "failure_message": None, "livemode": False, "metadata": {},
        "method": "standard", "original_payout": None, "payout_method": None,
        "reconciliation_status": "in_progress", "reversed_by": None, "source_type": "card",
        "statement_descriptor": None, "status": "in_transit", "trace_id": None,
        "type": "bank_account",
    }  # fmt: skip


def event(id_: str, created: int, type_: str, obj: Doc, request: tuple[str | None, str | None],
          ) -> Doc:  # fmt: skip
    return {
        "id": id_, "object": "event", "api_version": API_VERSION, "created": created,
        "data": {"object": obj}, "livemode": False, "pending_webhooks": 1,
        "request": {"id": request[0], "idempotency_key": request[1]}, "type": type_,
    }  # fmt: skip
