-- The analytics sink and the comparison of its mart with the ledger. All run as tinko_worker.

-- name: snapshot_floor
-- Purpose: the lowest transaction id that may still be running; all below it are visible or gone.
-- Parameters: none. Index: none.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as floor;

-- name: watermark
-- Purpose: how far a relation was carried. Parameters: sink, relation. Index: pk_sink_watermarks.
select position
from sink_watermarks
where
    sink = :sink
    and relation = :relation;

-- name: advance_watermark
-- Purpose: remember how far a relation was carried; of two runs at once the further one counts.
-- Parameters: sink, relation, position, carried, at. Index: pk_sink_watermarks.
insert into sink_watermarks as known (sink, relation, position, rows, updated_at)
values (:sink, :relation, :position, :carried, :at)
on conflict (sink, relation) do update
    set
        position = greatest(known.position, excluded.position),
        rows = known.rows + excluded.rows,
        updated_at = excluded.updated_at;

-- name: rewind_watermark
-- Purpose: have a relation carried again from its first row. Parameters: sink, relation.
-- Index: pk_sink_watermarks.
delete from sink_watermarks
where
    sink = :sink
    and relation = :relation;

-- name: waiting
-- Purpose: whether anything has changed since it was last carried. Parameters: sink.
-- Index: ix_obligations_row_version and its like on each relation.
with carried as (
    select
        min(position) filter (where relation = 'obligations') as obligations,
        min(position) filter (where relation = 'attempts') as attempts,
        min(position) filter (where relation = 'failures') as failures,
        min(position) filter (where relation = 'cases') as cases
    from sink_watermarks
    where sink = :sink
)

select
    exists (select 1 from obligations where row_version >= coalesce(c.obligations, 0))
    or exists (select 1 from attempts where row_version >= coalesce(c.attempts, 0))
    or exists (select 1 from failures where row_version >= coalesce(c.failures, 0))
    or exists (select 1 from cases where row_version >= coalesce(c.cases, 0)) as waiting
from carried as c;

-- name: read_obligations
-- Purpose: one page of debts whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_obligations_row_version.
select
    org_id::text as org_id,
    id::text as id,
    connection_id::text as connection_id,
    psp,
    state,
    due_minor,
    paid_minor,
    refunded_minor,
    currency,
    psp_retries,
    has_mandate,
    cycle_end,
    superseded_by::text as superseded_by,
    created_at,
    updated_at,
    row_version
from obligations
where
    row_version >= :low
    and row_version < :high
    and (row_version, obligations.id) > (:after_version, cast(:after_key as uuid))
order by row_version, obligations.id
limit :size;

-- name: read_attempts
-- Purpose: one page of tries whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_attempts_row_version.
select
    org_id::text as org_id,
    id::text as id,
    connection_id::text as connection_id,
    psp,
    obligation_id::text as obligation_id,
    case_id::text as case_id,
    actor,
    state,
    coalesce(psp_payment_id, '') as psp_payment_id,
    amount_minor,
    refunded_minor,
    currency,
    method,
    coalesce(network, '') as network,
    coalesce(country, '') as country,
    payer_present,
    disputed,
    decision_id::text as decision_id,
    scheduled_at,
    submitted_at,
    occurred_at,
    finished_at,
    created_at,
    updated_at,
    row_version
from attempts
where
    row_version >= :low
    and row_version < :high
    and (row_version, attempts.id) > (:after_version, cast(:after_key as uuid))
order by row_version, attempts.id
limit :size;

-- name: read_failures
-- Purpose: one page of failures whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_failures_row_version.
select
    org_id::text as org_id,
    attempt_id::text as attempt_id,
    obligation_id::text as obligation_id,
    case_id::text as case_id,
    psp,
    category,
    retry_advice,
    hard,
    who_acts,
    confidence,
    late_authorisation,
    decided_by,
    coalesce(code, '') as code,
    coalesce(reason, '') as reason,
    coalesce(network, '') as network,
    coalesce(network_decline_code, '') as network_decline_code,
    coalesce(network_advice_code, '') as network_advice_code,
    failed_at,
    created_at,
    row_version
from failures
where
    row_version >= :low
    and row_version < :high
    and (row_version, failures.attempt_id) > (:after_version, cast(:after_key as uuid))
order by row_version, failures.attempt_id
limit :size;

-- name: read_cases
-- Purpose: one page of cases whose version lies in [low, high), after a version and key; the
-- currency is their debt's, which never changes.
-- Parameters: low, high, after_version, after_key, size. Index: ix_cases_row_version.
select
    c.org_id::text as org_id,
    c.id::text as id,
    c.connection_id::text as connection_id,
    c.obligation_id::text as obligation_id,
    c.policy_version_id::text as policy_version_id,
    c.state,
    coalesce(c.recovered_by, '') as recovered_by,
    c.recovered_minor,
    c.reversed_minor,
    o.currency,
    coalesce(c.close_reason, '') as close_reason,
    c.opened_at,
    c.closed_at,
    c.updated_at,
    c.row_version
from cases as c
inner join obligations as o on c.obligation_id = o.id
where
    c.row_version >= :low
    and c.row_version < :high
    and (c.row_version, c.id) > (:after_version, cast(:after_key as uuid))
order by c.row_version, c.id
limit :size;

-- name: read_deleted
-- Purpose: one page of rows that were deleted from a relation, with a version in [low, high).
-- Parameters: relation, low, high, after_version, after_key, size.
-- Index: ix_deleted_rows_row_version.
select
    d.org_id::text as org_id,
    d.key::text as key,
    d.row_version,
    1 as is_deleted
from deleted_rows as d
where
    d.relation = :relation
    and d.row_version >= :low
    and d.row_version < :high
    and (d.row_version, d.key) > (:after_version, cast(:after_key as uuid))
order by d.row_version, d.key
limit :size;

-- name: ledger_totals
-- Purpose: what recovery_daily must come to, counted from the ledger itself, per organisation,
-- day of the first failure (UTC), PSP and currency.
-- Parameters: none. Index: ix_attempts_obligation_id, uq_cases_obligation_id.
with first_failures as (
    select distinct on (a.obligation_id)
        a.obligation_id,
        coalesce(f.failed_at, a.finished_at, a.occurred_at, a.created_at) as failed_at
    from attempts as a
    left join failures as f on a.id = f.attempt_id
    where a.state = 'failed'
    order by a.obligation_id asc, failed_at asc, a.id asc
),

tried as (
    select distinct x.obligation_id
    from first_failures as x
    inner join attempts as a on x.obligation_id = a.obligation_id
    where
        a.actor = 'tinko'
        and a.state not in ('scheduled', 'claimed', 'cancelled', 'not_sent')
        and coalesce(a.submitted_at, a.occurred_at, a.created_at) >= x.failed_at
)

select
    o.org_id::text as org_id,
    (x.failed_at at time zone 'UTC')::date as day,
    o.psp,
    o.currency,
    count(*) as failed,
    sum(o.due_minor)::bigint as failed_minor,
    count(t.obligation_id) as retried,
    coalesce(sum(o.due_minor) filter (where t.obligation_id is not null), 0)::bigint as retried_minor,
    count(*) filter (where c.state in ('recovered', 'settled')) as recovered,
    coalesce(
        sum(c.recovered_minor) filter (where c.state in ('recovered', 'settled')), 0
    )::bigint as recovered_minor,
    coalesce(sum(c.reversed_minor), 0)::bigint as reversed_minor
from first_failures as x
inner join obligations as o on x.obligation_id = o.id
left join cases as c on o.id = c.obligation_id
left join tried as t on o.id = t.obligation_id
where o.state <> 'superseded'
group by 1, 2, 3, 4;

-- name: moved_since
-- Purpose: debts the ledger has changed since a position, with the group they are in now (null
-- where they have no failure): a mart of that position cannot know these changes.
-- Parameters: position. Index: ix_obligations_row_version, ix_attempts_row_version,
-- ix_failures_row_version, ix_cases_row_version, ix_attempts_obligation_id.
with moved as (
    select id as obligation_id from obligations
    where row_version >= :position
    union
    select obligation_id from attempts
    where row_version >= :position
    union
    select obligation_id from failures
    where row_version >= :position
    union
    select obligation_id from cases
    where row_version >= :position
)

select
    o.id::text as obligation_id,
    o.org_id::text as org_id,
    (x.failed_at at time zone 'UTC')::date as day,
    o.psp,
    o.currency
from moved as m
inner join obligations as o on m.obligation_id = o.id
left join lateral (
    select min(coalesce(f.failed_at, a.finished_at, a.occurred_at, a.created_at)) as failed_at
    from attempts as a
    left join failures as f on a.id = f.attempt_id
    where
        a.obligation_id = o.id
        and a.state = 'failed'
) as x on true;
