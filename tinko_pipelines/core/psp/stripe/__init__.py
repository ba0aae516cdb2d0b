"""Stripe: webhooks, mapping, calls."""
