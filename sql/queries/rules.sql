-- A merchant's rules: append-only versions, the newest of each counts.

-- name: newest
-- The newest version of each rule at :at (null: now), deleted ones too, in order of place.
-- Index: uq_rule_versions_org_id_rule_id_version.
select
    v.id, v.rule_id, v.version, v.name, v.place, v.deleted, v.definition, v.created_by, v.created_at
from (
    select distinct on (r.rule_id)
        r.id, r.rule_id, r.version, r.name, r.place, r.deleted, r.definition, r.created_by,
        r.created_at
    from rule_versions as r
    where
        r.org_id = :org_id
        and r.created_at <= coalesce(cast(:at as timestamptz), 'infinity')
    order by r.rule_id asc, r.version desc
) as v
order by v.place, v.rule_id;

-- name: versions
-- Every version of one rule, newest first. Index: uq_rule_versions_org_id_rule_id_version.
select
    r.id, r.rule_id, r.version, r.name, r.place, r.deleted, r.definition, r.created_by, r.created_at
from rule_versions as r
where r.org_id = :org_id and r.rule_id = :rule_id
order by r.version desc;

-- name: lock
-- One writer of an organisation's rules at a time: places and the number of rules hold together.
select pg_advisory_xact_lock(hashtextextended('rules ' || cast(:org_id as text), 0));

-- name: add_version
insert into rule_versions (
    id, org_id, rule_id, version, name, place, deleted, definition, created_by, created_at
)
values (
    :id, :org_id, :rule_id, :version, :name, :place, :deleted, cast(:definition as jsonb), :by, :now
);

-- name: read_only
-- The rest of this transaction writes nothing, sorts in memory and does not take for ever.
select
    set_config('transaction_read_only', 'on', true),
    set_config('work_mem', '64MB', true),
    set_config('statement_timeout', cast(:milliseconds as text), true);

-- name: zone
-- Index: pk_organisations.
select o.timezone from organisations as o where o.org_id = :org_id;

-- name: past_failures
-- Failures with what rules look at, the newest debts first, up to :limit rows.
-- Indexes: ix_failures_obligation_id in order while few are wanted, then pk_attempts and
-- pk_obligations; all of them: sequential, with hash joins.
select
    f.attempt_id, f.obligation_id, f.case_id,
    (extract(epoch from f.failed_at) * 1000000)::bigint as failed_at,
    a.amount_minor as amount, a.currency, f.psp, a.method, f.category, f.code,
    coalesce(o.payer_country, a.country) as country, o.payer_country,
    case when o.customer_tags <> '{}' then to_json(o.customer_tags) end as customer_tags
from failures as f
inner join attempts as a on f.attempt_id = a.id
inner join obligations as o on f.obligation_id = o.id
where f.org_id = :org_id
order by f.obligation_id desc
limit :limit;
