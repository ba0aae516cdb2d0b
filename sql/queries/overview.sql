-- What the API and its pages read, one tenant at a time (row-level security).

-- name: case_counts
-- Cases by state. Sequential: the tenant's cases.
select state, count(*) as n from cases group by state;

-- name: attempt_counts
-- Attempts by who made them and how they stand. Sequential over the months.
select actor, state, count(*) as n from attempts group by actor, state;

-- name: totals
-- Single counts. The inbox ones: ix_inbox_events_pending.
select
    (select count(*) from obligations) as obligations,
    (select count(*) from failures) as failures,
    (select count(*) from inbox_events where processed_at is null) as inbox_pending,
    (select count(*) from inbox_events where outcome = 'quarantined') as inbox_quarantined,
    (select count(*) from findings where state = 'open') as findings;

-- name: money
-- Minor units per currency: what is at risk in running cases, what came back and stayed.
select
    o.currency,
    coalesce(sum(o.due_minor - o.paid_minor) filter (
        where c.state in ('open', 'retrying', 'awaiting_payer', 'disputed')
    ), 0)::bigint as at_risk_minor,
    coalesce(sum(c.recovered_minor - c.reversed_minor) filter (
        where c.state in ('recovered', 'settled', 'disputed', 'reversed')
    ), 0)::bigint as recovered_minor,
    coalesce(sum(o.due_minor - o.paid_minor) filter (
        where c.state in ('exhausted', 'cancelled')
    ), 0)::bigint as lost_minor
from cases as c
inner join obligations as o on o.id = c.obligation_id
group by o.currency
order by o.currency;

-- name: recovered_by_day
-- Minor units recovered per currency and day of closing, since :since.
select
    o.currency,
    date_trunc('day', c.closed_at at time zone 'UTC')::date as day,
    sum(c.recovered_minor - c.reversed_minor)::bigint as recovered_minor
from cases as c
inner join obligations as o on o.id = c.obligation_id
where c.state in ('recovered', 'settled') and c.closed_at >= :since
group by 1, 2
order by 1, 2;

-- name: cases_page
-- One page, newest first, before :before (null: from the top), in :state (null: any).
-- Index: pk_cases, read backwards.
select
    c.id, c.state, c.obligation_id, c.connection_id, c.recovered_by, c.recovered_minor,
    c.reversed_minor, c.close_reason, c.decide_at, c.opened_at, c.closed_at, c.updated_at, c.tags,
    o.psp, o.currency, o.due_minor, o.paid_minor, o.state as obligation_state, o.description,
    f.category, f.code
from cases as c
inner join obligations as o on o.id = c.obligation_id
left join lateral (
    select category, coalesce(reason, code) as code from failures
    where obligation_id = c.obligation_id
    order by failed_at desc, attempt_id desc limit 1
) as f on true
where
    (cast(:before as uuid) is null or c.id < cast(:before as uuid))
    and (cast(:state as text) is null or c.state = cast(:state as text))
order by c.id desc
limit :limit;

-- name: case_by_id
-- Index: pk_cases.
select
    id, state, obligation_id, connection_id, policy_version_id, recovered_by, recovered_minor,
    reversed_minor, close_reason, decide_at, asked_at, opened_at, closed_at, updated_at, tags,
    offered_psp
from cases where id = :id;

-- name: case_decisions
-- Index: ix_decisions_case_id.
select id, action, act_at, reasons, inputs, policy_version_id, decided_at
from decisions where case_id = :id order by decided_at, id;

-- name: obligation_by_id
-- Index: pk_obligations.
select
    id, connection_id, psp, state, due_minor, paid_minor, refunded_minor, currency, description,
    customer_ref, payer_language, psp_retries, has_mandate, cycle_end, superseded_by, created_at,
    updated_at
from obligations where id = :id;

-- name: obligation_attempts
-- Index: ix_attempts_obligation_id of each month.
select
    id, actor, state, psp_payment_id, door_id, amount_minor, currency, method, network, country,
    payer_present, refunded_minor, disputed, error, decision_id, guard_rows,
    notice_asked_at, scheduled_at,
    submitted_at, occurred_at, finished_at, created_at, updated_at
from attempts where obligation_id = :id
order by coalesce(occurred_at, scheduled_at, created_at), id;

-- name: obligation_failures
-- Index: ix_failures_obligation_id.
select
    attempt_id, category, retry_advice, hard, who_acts, confidence, decided_by, code, reason,
    network, network_decline_code, network_advice_code, failed_at
from failures where obligation_id = :id order by failed_at, attempt_id;

-- name: obligation_doors
-- Index: ix_doors_obligation_id.
select
    id, kind, object_id, status, url, opened_by, notified_at, notice_failed_at, created_at, updated_at
from doors where obligation_id = :id order by created_at, id;

-- name: obligation_refs
-- Index: ix_psp_refs_obligation_id.
select object_id, kind from psp_refs where obligation_id = :id order by kind, object_id;

-- name: obligation_case
-- Index: uq_cases_obligation_id.
select id, state from cases where obligation_id = :id;

-- name: connections
-- The tenant's; a short table.
select id, psp, account_id, livemode, label, status, retry_owner, created_at, updated_at
from connections order by created_at, id;
