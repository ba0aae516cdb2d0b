"""The ledger's copy in ClickHouse, dbt's models on it, and the check that both stores agree."""
