"""Dagster only: the clock and the graph. Nothing here decides anything."""
