-- The roles and databases of the platform (DESIGN.md, rule 14), for any Postgres 15 or later.
--
-- Plain SQL, no psql commands. Run it as a role that may create roles and databases, each
-- statement on its own (CREATE DATABASE refuses a transaction), after setting in the same session:
--     set tinko.owner_password = '…';      set tinko.app_password = '…';
--     set tinko.worker_password = '…';     set tinko.readonly_password = '…';
-- `tinko_pipelines/local/roles.py` does exactly that. Running it again changes nothing but the
-- passwords. Statements end with a semicolon at the end of a line followed by a blank line.

-- tinko_owner: DDL and partitions. tinko_app: the API. tinko_worker: Dagster. tinko_readonly: people.
-- tinko_lookup: owns the SECURITY DEFINER lookups and nothing else; nobody can log in as it.
do $$
declare
    login record;
begin
    for login in
        select *
        from (values
            ('tinko_owner', 'tinko.owner_password'),
            ('tinko_app', 'tinko.app_password'),
            ('tinko_worker', 'tinko.worker_password'),
            ('tinko_readonly', 'tinko.readonly_password')
        ) as wanted (name, setting)
    loop
        if not exists (select from pg_roles where rolname = login.name) then
            execute format('create role %I', login.name);
        end if;
        -- what only a superuser may even mention (superuser, bypassrls) is off by default
        execute format(
            'alter role %I login nocreatedb nocreaterole password %L',
            login.name, current_setting(login.setting)
        );
    end loop;
    if not exists (select from pg_roles where rolname = 'tinko_lookup') then
        create role tinko_lookup nologin;
    end if;
    -- the owner may hand functions over to tinko_lookup, but does not inherit what it may read
    if current_setting('server_version_num')::int >= 160000 then
        execute 'grant tinko_lookup to tinko_owner with inherit false, set true';
    else
        execute 'grant tinko_lookup to tinko_owner';
    end if;
    -- giving a database to another role takes membership in it, unless one is a superuser
    if not (select rolsuper from pg_roles where rolname = current_user) then
        execute format('grant tinko_owner, tinko_worker to %I', current_user);
    end if;
end
$$;

-- A query the policies would silently filter for the owner raises an error instead.
alter role tinko_owner set row_security = off;

alter role tinko_readonly set default_transaction_read_only = on;

create database tinko owner tinko_owner;

create database dagster owner tinko_worker;

revoke connect, temporary on database tinko from public;

revoke connect, temporary on database dagster from public;

grant connect on database tinko to tinko_app, tinko_worker, tinko_readonly;
