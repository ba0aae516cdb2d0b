"""The daily reconciliation, what settled, the report of it, and the repairs that were asked for."""
