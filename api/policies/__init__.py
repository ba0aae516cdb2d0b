"""Policies: how an organisation wants to retry, and what a draft of it would do."""
