-- name: unclassified
-- Failed attempts without a classification, oldest first. Index: ix_attempts_unclassified.
select
    a.id, a.org_id, a.obligation_id, a.psp, a.network, a.error,
    coalesce(a.finished_at, a.occurred_at, a.updated_at) as failed_at
from attempts as a
where a.state = 'failed' and a.classified_at is null
order by a.id
limit :limit
for update skip locked;

-- name: record
-- Index: pk_failures.
insert into failures (
    attempt_id, org_id, obligation_id, psp, category, retry_advice, hard, who_acts, confidence,
    late_authorisation, decided_by, code, reason, network, network_decline_code,
    network_advice_code, failed_at, created_at
)
values (
    :attempt_id, :org_id, :obligation_id, :psp, :category, :retry_advice, :hard, :who_acts,
    :confidence, :late_authorisation, :decided_by, :code, :reason, :network,
    :network_decline_code, :network_advice_code, :failed_at, :now
)
on conflict (attempt_id) do nothing;

-- name: mark_classified
-- Index: pk_attempts.
update attempts set classified_at = :now
where id = any(cast(:ids as uuid[]));

-- name: newest_rules_version
-- Index: uq_failure_rule_versions_org_id_version.
select max(version) from failure_rule_versions where org_id = :org_id;

-- name: insert_rules_version
-- A version is never changed. Index: uq_failure_rule_versions_org_id_version.
insert into failure_rule_versions (id, org_id, version, definition, created_by, created_at)
values (:id, :org_id, :version, cast(:definition as jsonb), :created_by, :at);

-- name: rules_versions
-- Newest first. Index: uq_failure_rule_versions_org_id_version.
select version, definition, created_by, created_at
from failure_rule_versions
where org_id = :org_id
order by version desc;

-- name: rules_version
-- Index: uq_failure_rule_versions_org_id_version.
select version, definition, created_by, created_at
from failure_rule_versions
where org_id = :org_id and version = :version;

-- name: newest_rules
-- The rules that hold, of some organisations. Index: uq_failure_rule_versions_org_id_version.
select distinct on (org_id) org_id, version, definition, created_at
from failure_rule_versions
where org_id = any(cast(:org_ids as uuid[]))
order by org_id asc, version desc;
