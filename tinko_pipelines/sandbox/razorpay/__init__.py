"""Razorpay as a merchant's code sees it: `/razorpay/v1/…`, checkout, links, signed webhooks.

Entities look as Razorpay's API and webhook docs show them. Members whose names begin with `_` are
the sandbox's own and never leave it. Amounts are paise.
"""

from tinko_pipelines.sandbox.razorpay.surface import make_surface

__all__ = ["make_surface"]
