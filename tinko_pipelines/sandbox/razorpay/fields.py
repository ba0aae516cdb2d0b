"""Reading the members of a request, refusing as Razorpay does what makes no sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinko_pipelines.sandbox.razorpay.gateway import ApiError
from tinko_pipelines.sandbox.store import Doc

MOST = 100


def amount(body: Mapping[str, Any]) -> int:
    """`amount` in minor units, at least 100 (one rupee)."""
    value = body.get("amount")
    if value is None:
        raise required("amount")
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ApiError("The amount must be an integer.", field="amount")
    if value < 100:
        raise ApiError("Order amount less than minimum amount allowed", field="amount",
                       reason="amount_less_than_minimum_amount")  # fmt: skip
    return value


def currency(body: Mapping[str, Any]) -> str:
    value = text(body, "currency").upper()
    if value != "INR":
        raise ApiError("Currency is not supported", field="currency", reason="invalid_currency")
    return value


def text(body: Mapping[str, Any], name: str) -> str:
    """A member that must be a text and not empty."""
    value = body.get(name)
    if value is None or value == "":
        raise required(name)
    return str(value)


def required(name: str) -> ApiError:
    return ApiError(f"The {name.replace('_', ' ')} field is required.", field=name)


def mapping(body: Mapping[str, Any], name: str) -> Doc:
    """A member that is an object, {} where it is missing."""
    value = body.get(name)
    if value in (None, []):
        return {}
    if not isinstance(value, dict):
        raise ApiError(f"The {name} must be an array.", field=name)
    return value


def notes(body: Mapping[str, Any]) -> Doc:
    """`notes`: at most 15 pairs."""
    found = mapping(body, "notes")
    if len(found) > 15:
        raise ApiError("The number of fields in notes should be less than or equal to 15.",
                       field="notes")  # fmt: skip
    return found


def number(query: Mapping[str, Any], name: str, default: int | None = None) -> int | None:
    """A whole number of the query, `default` where it is missing."""
    value = query.get(name)
    if value is None or value == "":
        return default
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ApiError(f"The {name} must be an integer.", field=name) from None


def page(query: Mapping[str, str], most: int = MOST) -> tuple[int, int]:
    """(count, skip) of a listing: 10 and 0 by default, at most `most`."""
    count, skip = number(query, "count", 10) or 0, number(query, "skip", 0) or 0
    if not 1 <= count <= most:
        raise ApiError(f"The count must be between 1 and {most}.", field="count")
    if skip < 0:
        raise ApiError("The skip must be at least 0.", field="skip")
    return count, skip
