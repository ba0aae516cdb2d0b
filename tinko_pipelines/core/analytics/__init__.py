"""The ledger and the cases for analysts: ClickHouse tables, the sink that fills them, dbt."""
