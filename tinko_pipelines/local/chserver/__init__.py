"""ClickHouse for one machine: one process owns chDB and speaks ClickHouse's HTTP interface.

chDB lets one process hold a path, and its clients (clickhouse-connect, dbt, BI tools) speak HTTP.
Every request gets a connection of its own (0.4 ms to open), so settings and the read-only mark of
one request never reach another; two bounded pools, writers and readers, keep them from starving
each other. There are no sessions: temporary tables end with their request.
"""
