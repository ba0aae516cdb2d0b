"""Organisations, their API keys and their connections to PSPs."""
