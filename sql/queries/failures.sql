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
