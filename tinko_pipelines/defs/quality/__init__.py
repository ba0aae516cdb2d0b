"""Checks before a load, and the quarantine: thin over core/quality."""
