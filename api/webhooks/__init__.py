"""Webhooks: verify, store once, and only then answer."""
