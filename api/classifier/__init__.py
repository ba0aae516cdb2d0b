"""Classify a sample and explain it; the merchant's own rules for failures."""
