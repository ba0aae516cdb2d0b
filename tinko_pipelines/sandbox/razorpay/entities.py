"""Razorpay's entities as its API answers them. Builders only: what happens to them is elsewhere.

Times are epoch seconds, amounts minor units, empty notes `[]`, as Razorpay has it.
"""

from __future__ import annotations

from typing import Any

from tinko_pipelines.sandbox.payers import Instrument, Payer
from tinko_pipelines.sandbox.store import Doc

ID_LENGTH = 14
_NETWORKS = {
    "visa": "Visa",
    "mastercard": "MasterCard",
    "rupay": "RuPay",
    "amex": "American Express",
}
_FIVE_YEARS = 5 * 365 * 86400


def public(doc: Doc) -> Doc:
    """The entity without the sandbox's own members."""
    return {name: value for name, value in doc.items() if not name.startswith("_")}


def collection(items: list[Doc]) -> Doc:
    return {"entity": "collection", "count": len(items), "items": [public(item) for item in items]}


def customer(id_: str, name: str, email: str, contact: str, at: int, notes: Any = None) -> Doc:
    return {"id": id_, "entity": "customer", "name": name, "email": email, "contact": contact,
            "gstin": None, "notes": notes or [], "created_at": at}  # fmt: skip


def card(card_id: str, instrument: Instrument, name: str) -> Doc:
    """The card of a payment or token, as `card` shows it."""
    return {"id": card_id, "entity": "card", "name": name, "last4": instrument.last4,
            "network": _NETWORKS.get(instrument.network, "Unknown"),
            "type": instrument.funding, "issuer": instrument.issuer, "international": False,
            "emi": False, "sub_type": "consumer", "token_iin": None,
            "expiry_month": instrument.exp_month, "expiry_year": instrument.exp_year}  # fmt: skip


def vpa(instrument: Instrument, email: str) -> str:
    """The UPI address behind an instrument."""
    name = email.partition("@")[0] or "payer"
    return f"{name}.{instrument.last4}@ok{instrument.issuer.lower()}"


def token(
    id_: str, secret: str, instrument: Instrument, payer_name: str, email: str, at: int,
    frequency: str,
) -> Doc:  # fmt: skip
    """A stored mandate: card, UPI Autopay or e-mandate. `frequency`: how often it is debited."""
    doc: Doc = {
        "id": id_, "entity": "token", "token": secret, "bank": None, "wallet": None,
        "method": instrument.method, "recurring": True,
        "recurring_details": {"status": "confirmed", "failure_reason": None},
        "auth_type": None, "mrn": None, "used_at": at, "created_at": at, "start_time": at,
        "notes": [], "dcc_enabled": False, "max_amount": 1_500_000, "frequency": frequency,
        "expired_at": at + _FIVE_YEARS,
    }  # fmt: skip
    if instrument.method == "card":
        card_id = f"card_{secret}"
        doc["card"] = card(card_id, instrument, payer_name)
        doc["mrn"] = secret
    elif instrument.method == "upi":
        name, _, handle = vpa(instrument, email).partition("@")
        doc["vpa"] = {"username": name, "handle": handle, "name": payer_name.upper()}
    else:
        doc["bank"], doc["auth_type"] = instrument.issuer, "netbanking"
        doc["max_amount"] = 10_000_000
        doc["bank_details"] = {
            "beneficiary_name": payer_name,
            "account_number": f"1121431121{instrument.last4}",
            "ifsc": f"{instrument.issuer}0000123",
            "account_type": "savings",
        }
    return doc


def order(
    id_: str, amount: int, currency: str, at: int, *, receipt: str | None = None,
    notes: Any = None, notification: Doc | None = None, token: Doc | None = None,
    customer_id: str | None = None,
) -> Doc:  # fmt: skip
    doc: Doc = {
        "id": id_, "entity": "order", "amount": amount, "amount_paid": 0, "amount_due": amount,
        "currency": currency, "receipt": receipt, "offer_id": None, "status": "created",
        "attempts": 0, "notes": notes or [], "created_at": at,
    }  # fmt: skip
    if notification is not None:
        doc["notification"] = notification
    if token is not None:
        doc["token"] = token
    if customer_id is not None:
        doc["customer_id"] = customer_id
    return doc


def payment(
    id_: str, order_doc: Doc, instrument: Instrument, at: int, *, present: bool, name: str = "",
    email: str | None = None, contact: str | None = None, token_id: str | None = None,
    customer_id: str | None = None, invoice_id: str | None = None, notes: Any = None,
    description: str | None = None,
) -> Doc:  # fmt: skip
    """A payment in status `created`. With the payer present it has no `token_id`."""
    method = instrument.method
    if present and method == "emandate":
        method = "netbanking"
    doc: Doc = {
        "id": id_, "entity": "payment", "amount": order_doc["amount_due"] or order_doc["amount"],
        "currency": order_doc["currency"], "base_amount": order_doc["amount"],
        "status": "created", "order_id": order_doc["id"], "invoice_id": invoice_id,
        "international": False, "method": method, "amount_refunded": 0, "amount_transferred": 0,
        "refund_status": None, "captured": False, "description": description, "card_id": None,
        "bank": None, "wallet": None, "vpa": None, "email": email, "contact": contact,
        "customer_id": customer_id, "token_id": token_id, "notes": notes or [], "fee": None,
        "tax": None, "error_code": None, "error_description": None, "error_source": None,
        "error_step": None, "error_reason": None, "acquirer_data": {}, "created_at": at,
    }  # fmt: skip
    doc["base_amount"] = doc["amount"]
    if method == "card":
        doc["card_id"] = f"card_{instrument.fingerprint[:ID_LENGTH]}"
        doc["card"] = card(doc["card_id"], instrument, name)
        doc["acquirer_data"] = {"auth_code": None}
    elif method == "upi":
        doc["vpa"] = vpa(instrument, email or "")
        doc["upi"] = {"vpa": doc["vpa"], "payer_account_type": "bank_account"}
        doc["acquirer_data"] = {"rrn": None}
    else:
        doc["bank"] = instrument.issuer
        doc["acquirer_data"] = {"bank_transaction_id": None}
    return doc


def fees(amount: int) -> tuple[int, int]:
    """(fee, tax) of a captured amount: 2 % and 18 % GST on that; the fee includes the tax."""
    base = (amount * 2 + 50) // 100
    tax = (base * 18 + 50) // 100
    return base + tax, tax


def refund(
    id_: str, payment_doc: Doc, amount: int, at: int, *, receipt: str | None, notes: Any
) -> Doc:
    return {"id": id_, "entity": "refund", "amount": amount, "currency": payment_doc["currency"],
            "payment_id": payment_doc["id"], "notes": notes or [], "receipt": receipt,
            "acquirer_data": {"arn": None}, "created_at": at, "batch_id": None,
            "status": "processed", "speed_processed": "normal",
            "speed_requested": "normal"}  # fmt: skip


def payment_link(id_: str, body: Doc, url: str, at: int) -> Doc:
    """A Payment Link in status `created`; times that have not come are 0, as Razorpay has it."""
    notify = body.get("notify") or {}
    return {
        "accept_partial": False, "amount": body["amount"], "amount_paid": 0,
        "callback_method": body.get("callback_method") or "",
        "callback_url": body.get("callback_url") or "", "cancelled_at": 0, "created_at": at,
        "currency": body.get("currency", "INR"), "customer": body.get("customer") or {},
        "description": body.get("description") or "", "expire_by": body.get("expire_by") or 0,
        "expired_at": 0, "first_min_partial_amount": 0, "id": id_, "notes": body.get("notes"),
        "notify": {"email": bool(notify.get("email")), "sms": bool(notify.get("sms")),
                   "whatsapp": False},
        "payments": None, "reference_id": body.get("reference_id") or "",
        "reminder_enable": bool(body.get("reminder_enable")), "reminders": [],
        "short_url": url, "status": "created", "updated_at": at, "upi_link": False, "user_id": "",
        "whatsapp_link": False,
    }  # fmt: skip


def subscription(
    id_: str, plan_id: str, customer_id: str, method: str, at: int, *, cycles_paid: int, url: str
) -> Doc:
    """An active subscription whose cycle begins at `at` (a month of 30 days)."""
    month = 30 * 86400
    return {
        "id": id_, "entity": "subscription", "plan_id": plan_id, "customer_id": customer_id,
        "status": "active", "current_start": at, "current_end": at + month, "ended_at": None,
        "quantity": 1, "notes": [], "charge_at": at, "start_at": at - cycles_paid * month,
        "end_at": at + (12 - cycles_paid) * month, "auth_attempts": 0, "total_count": 12,
        "paid_count": cycles_paid, "customer_notify": True,
        "created_at": at - cycles_paid * month, "expire_by": None, "short_url": url,
        "has_scheduled_changes": False, "change_scheduled_at": None, "source": "api",
        "payment_method": method, "offer_id": None, "remaining_count": 12 - cycles_paid,
    }  # fmt: skip


def invoice(id_: str, order_doc: Doc, payer: Payer, sub: Doc, url: str, at: int) -> Doc:
    """The invoice of one subscription cycle, in status `issued`."""
    who = sub["customer_id"]
    amount = order_doc["amount"]
    return {
        "id": id_, "entity": "invoice", "receipt": None, "invoice_number": None,
        "customer_id": who,
        "customer_details": {"id": who, "name": payer.name, "email": payer.email,
                             "contact": payer.phone, "gstin": None, "billing_address": None,
                             "shipping_address": None, "customer_name": payer.name,
                             "customer_email": payer.email, "customer_contact": payer.phone},
        "order_id": order_doc["id"], "subscription_id": sub["id"],
        "line_items": [{"name": "Plan", "amount": amount, "quantity": 1,
                        "currency": order_doc["currency"], "type": "plan"}],
        "payment_id": None, "status": "issued", "expire_by": None, "issued_at": at,
        "paid_at": None, "cancelled_at": None, "expired_at": None, "sms_status": None,
        "email_status": None, "date": at, "terms": None, "partial_payment": False,
        "gross_amount": amount, "tax_amount": 0, "taxable_amount": 0, "amount": amount,
        "amount_paid": 0, "amount_due": amount, "currency": order_doc["currency"],
        "currency_symbol": "₹", "description": None, "notes": [], "comment": None,
        "short_url": url, "view_less": True, "billing_start": sub["current_start"],
        "billing_end": sub["current_end"], "type": "invoice", "group_taxes_discounts": False,
        "created_at": at, "idempotency_key": None,
    }  # fmt: skip


def dispute(id_: str, payment_doc: Doc, at: int) -> Doc:
    """A chargeback over the whole payment, in status `open`."""
    return {
        "id": id_, "entity": "dispute", "payment_id": payment_doc["id"],
        "amount": payment_doc["amount"], "currency": payment_doc["currency"],
        "amount_deducted": 0, "reason_code": "goods_or_services_not_received_or_partially_received",
        "respond_by": at + 5 * 86400, "status": "open", "phase": "chargeback",
        "evidence": {"amount": payment_doc["amount"], "summary": None, "shipping_proof": None,
                     "billing_proof": None, "cancellation_proof": None, "others": None,
                     "submitted_at": None},
        "created_at": at,
    }  # fmt: skip
