-- Organisations, API keys and connections.

-- name: insert_organisation
-- A new tenant. The transaction's tenant is set to :org_id before, so that its policy lets it in.
insert into organisations (
    org_id, slug, name, timezone, language, country, category, fresh_notice, created_at
)
values (
    :org_id, :slug, :name, :timezone, :language, :country, :category, :fresh_notice, :at
);

-- name: set_trade
-- Index: pk_organisations.
update organisations
set
    country = coalesce(:country, country), category = coalesce(:category, category),
    fresh_notice = coalesce(:fresh_notice, fresh_notice)
where org_id = :org_id;

-- name: organisation_by_slug
-- Index: uq_organisations_slug.
select org_id, slug, name, timezone, language, country, category, fresh_notice
from organisations
where slug = :slug;

-- name: organisations
-- All the role may see; a short table.
select org_id, slug, name, timezone, language, country, category, fresh_notice
from organisations
order by name, org_id;

-- name: insert_api_key
insert into api_keys (id, org_id, name, prefix, key_hash, created_at)
values (:id, :org_id, :name, :prefix, :key_hash, :at);

-- name: find_api_key
-- A live key's organisation, across tenants. Index: uq_api_keys_key_hash.
select org_id, id from find_api_key(:key_hash);

-- name: revoke_api_key
-- Index: pk_api_keys.
update api_keys set revoked_at = :at where id = :id and org_id = :org_id and revoked_at is null;

-- name: insert_connection
insert into connections (
    id, org_id, psp, account_id, livemode, label, status, retry_owner,
    credentials, wrapped_key, base_url, created_at, updated_at
)
values (
    :id, :org_id, :psp, :account_id, :livemode, :label, 'active', :retry_owner,
    :credentials, :wrapped_key, :base_url, :at, :at
);

-- name: find_connection
-- An active connection by id, across tenants. Index: pk_connections.
select
    org_id, id, psp, account_id, livemode, credentials, wrapped_key, base_url, retry_owner
from find_connection(:id);

-- name: active_connections
-- The role's and tenant's own; a short table.
select
    org_id, id, psp, account_id, livemode, credentials, wrapped_key, base_url, retry_owner
from connections
where status = 'active'
order by id;

-- name: replace_credentials
-- Index: pk_connections.
update connections
set credentials = :credentials, wrapped_key = :wrapped_key, base_url = :base_url, updated_at = :at
where id = :id and status = 'active';

-- name: disconnect
-- Index: pk_connections.
update connections set status = 'disconnected', updated_at = :at
where id = :id and status = 'active';

-- name: lock_retry_owner
-- Index: pk_connections.
select n.org_id, n.psp, n.retry_owner
from connections as n
where n.id = :id and n.status = 'active'
for update;

-- name: set_retry_owner
-- Who retries, and in the history that it was changed. Index: pk_connections.
with changed as (
    insert into state_history (org_id, entity, entity_id, from_state, to_state, at)
    values (:org_id, 'retry_owner', :id, :before, :owner, :at)
)

update connections set retry_owner = :owner, updated_at = :at
where id = :id;

-- name: lock_debts_under_way
-- Debts come before their attempts and cases, in one order for everybody. Scans the connection's
-- cases, once for a change of a setting. Index: pk_obligations.
select o.id
from obligations as o
inner join cases as c on o.id = c.obligation_id
where
    c.connection_id = :id and c.state in ('open', 'retrying', 'awaiting_payer')
order by o.id
for update of o;

-- name: cancel_retries
-- What is planned of ours at one connection. Index: ix_attempts_due.
update attempts set state = 'cancelled', finished_at = :at, updated_at = :at
where connection_id = :id and actor = 'tinko' and state = 'scheduled';

-- name: decide_anew
-- All cases under way of a connection. Scanned, as above.
update cases set decide_at = least(coalesce(decide_at, :at), :at), updated_at = :at
where connection_id = :id and state in ('open', 'retrying', 'awaiting_payer');
