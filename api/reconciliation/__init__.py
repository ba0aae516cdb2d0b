"""Reconciliation: days, findings, what people say of them, repairs, the report."""
