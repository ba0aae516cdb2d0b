-- Who may do what on a real ClickHouse server or Cloud. Run once by an administrator, after
-- sql/clickhouse was applied and dbt has built. The embedded engine knows no users: there, the
-- server before it (tinko_pipelines/local/chserver) holds the same lines.

-- the sink and dbt
create role if not exists tinko_writer;

grant select, insert, create table, create view, drop table, drop view, alter, truncate
on tinko.* to tinko_writer;

grant create database on tinko.* to tinko_writer;

-- one who reads: only reads, and never past these limits, which a session cannot raise; it may set
-- harmless settings of its own (2), since most drivers do
create settings profile if not exists tinko_reading settings
    readonly = 2,
    max_execution_time = 60 readonly,
    max_memory_usage = 2000000000 readonly,
    max_rows_to_read = 1000000000 readonly,
    max_result_rows = 1000000 readonly,
    result_overflow_mode = 'throw' readonly;

-- reads every organisation: for the platform's own analysts
create role if not exists tinko_analyst settings profile 'tinko_reading';

-- reads one organisation, the one that its user's setting SQL_tinko_org names
create role if not exists tinko_org_analyst settings profile 'tinko_reading';

grant select on tinko.* to tinko_analyst, tinko_org_analyst;

create quota if not exists tinko_reading
keyed by user_name
for interval 1 hour max queries = 2000, read_rows = 20000000000, execution_time = 1800
to tinko_analyst, tinko_org_analyst;
