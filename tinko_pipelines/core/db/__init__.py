"""The database: engines by role, the unit of work, named queries, partitions."""
