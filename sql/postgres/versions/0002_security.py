"""row-level security, grants, lookups and the triggers that keep history"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TENANT_TABLES = (
    "organisations",
    "api_keys",
    "connections",
    "inbox_events",
    "inbox_keys",
    "obligations",
    "psp_refs",
    "doors",
    "attempts",
    "failures",
    "charge_locks",
    "idempotency_keys",
    "guard_counters",
    "state_history",
    "policy_versions",
    "cases",
    "decisions",
    "findings",
    "outbox",
    "notification_deliveries",
)
# a trigger stamps these with the writing transaction's id, for the analytics sink's watermark
VERSIONED = ("obligations", "attempts", "failures", "cases")
# each change of state of these leaves a row of history, at the row's own business time
WITH_HISTORY = {"obligations": "obligation", "attempts": "attempt", "cases": "case"}
APPEND_ONLY = ("state_history", "decisions", "policy_versions", "notification_deliveries")

SAME_TENANT = "org_id = nullif(current_setting('app.org_id', true), '')::uuid"

FUNCTIONS = """
create function stamp_row_version() returns trigger language plpgsql as $$
begin
    new.row_version := pg_current_xact_id()::text::bigint;
    return new;
end $$;

create function record_state_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or old.state is distinct from new.state then
        insert into state_history (org_id, entity, entity_id, from_state, to_state, at)
        values (
            new.org_id, tg_argv[0], new.id,
            case when tg_op = 'UPDATE' then old.state end, new.state, new.updated_at
        );
    end if;
    return null;
end $$;

-- rule 10: SQL itself refuses a try of ours on a debt that must not be charged
create function refuse_uncollectible() returns trigger language plpgsql as $$
declare
    current_state text;
begin
    if new.actor = 'tinko' and new.state in ('scheduled', 'claimed', 'submitted') then
        select state into current_state from obligations where id = new.obligation_id for share;
        if current_state is null or current_state not in ('open', 'partially_paid') then
            raise exception 'obligation % is %: it is not to be charged',
                new.obligation_id, coalesce(current_state, 'missing')
                using errcode = 'TK001';
        end if;
    end if;
    return new;
end $$;

create function find_connection(wanted uuid)
returns table (
    org_id uuid, id uuid, psp text, account_id text, livemode boolean, credentials bytea,
    wrapped_key bytea, base_url text, retry_owner text
)
language sql stable security definer set search_path = public, pg_temp as $$
    select c.org_id, c.id, c.psp, c.account_id, c.livemode, c.credentials, c.wrapped_key,
        c.base_url, c.retry_owner
    from connections as c
    where c.id = wanted and c.status = 'active'
$$;

create function find_api_key(wanted text)
returns table (org_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select k.org_id, k.id from api_keys as k
    where k.key_hash = wanted and k.revoked_at is null
$$;
"""


def upgrade():
    op.execute(FUNCTIONS)
    op.execute("grant usage on schema public to tinko_app, tinko_worker, tinko_readonly")
    op.execute("grant usage, create on schema public to tinko_lookup")
    for table in TENANT_TABLES:
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"alter table {table} force row level security")
        op.execute(
            f"create policy tenant on {table} to tinko_app, tinko_readonly"
            f" using ({SAME_TENANT}) with check ({SAME_TENANT})"
        )
        op.execute(
            f"create policy worker on {table} to tinko_worker using (true) with check (true)"
        )
        writes = "insert" if table in APPEND_ONLY else "insert, update, delete"
        op.execute(f"grant select, {writes} on {table} to tinko_app, tinko_worker")
        op.execute(f"grant select on {table} to tinko_readonly")
    op.execute("grant usage on all sequences in schema public to tinko_app, tinko_worker")

    op.execute("grant select on business_clock to tinko_app, tinko_worker, tinko_readonly")
    op.execute("grant insert, update on business_clock to tinko_worker")
    op.execute("grant select on sink_watermarks to tinko_app, tinko_readonly")
    op.execute("grant select, insert, update, delete on sink_watermarks to tinko_worker")

    # a webhook's or a key's tenant is found by a role that may read just these two tables
    for table, function in (
        ("connections", "find_connection(uuid)"),
        ("api_keys", "find_api_key(text)"),
    ):
        op.execute(f"create policy lookup on {table} for select to tinko_lookup using (true)")
        op.execute(f"grant select on {table} to tinko_lookup")
        op.execute(f"revoke all on function {function} from public")
        op.execute(f"grant execute on function {function} to tinko_app, tinko_worker")
        op.execute(f"alter function {function} owner to tinko_lookup")
    op.execute("revoke create on schema public from tinko_lookup")

    for table in VERSIONED:
        op.execute(
            f"create trigger stamp before insert or update on {table}"
            " for each row execute function stamp_row_version()"
        )
    for table, entity in WITH_HISTORY.items():
        op.execute(
            f"create trigger history after insert or update on {table}"
            f" for each row execute function record_state_change('{entity}')"
        )
    op.execute(
        "create trigger collectible before insert or update of state, obligation_id on attempts"
        " for each row execute function refuse_uncollectible()"
    )


def downgrade():
    raise NotImplementedError("restore a backup instead: dropping row security is not a way back")
