"""Razorpay: webhooks, mapping, calls."""
