{{ config(
    engine='MergeTree()',
    order_by='(org_id, obligation_id)'
) }}
-- One row per debt with at least one failed attempt: where it first failed, what we did, what came
-- of it. An attempt that succeeded late is not a failed one any more.
with failed as (
    select
        attempts.obligation_id as obligation_id,
        attempts.attempt_id as attempt_id,
        attempts.method as method,
        -- a join that finds nothing gives defaults and not nulls: no category is ''
        if(failures.category = '', 'unclassified', failures.category) as category,
        if(
            failures.category = '',
            coalesce(attempts.finished_at, attempts.occurred_at, attempts.created_at),
            failures.failed_at
        ) as failed_at
    from {{ ref('stg_attempts') }} as attempts
    left join {{ ref('stg_failures') }} as failures on attempts.attempt_id = failures.attempt_id
    where attempts.state = 'failed'
),

first_failures as (
    select
        obligation_id,
        argMin(
            tuple(failed_at, method, category), tuple(failed_at, toString(attempt_id))
        ) as first_failure,
        count() as failed_attempts
    from failed
    group by obligation_id
),

tries as (
    select
        obligation_id,
        max(coalesce(submitted_at, occurred_at, created_at)) as last_tried_at
    from {{ ref('stg_attempts') }}
    where
        actor = 'tinko'
        and state not in ('scheduled', 'claimed', 'cancelled', 'not_sent')
    group by obligation_id
)

select
    obligations.org_id as org_id,
    obligations.obligation_id as obligation_id,
    obligations.psp as psp,
    obligations.currency as currency,
    obligations.due_minor as due_minor,
    first_failures.first_failure.1 as first_failed_at,
    toDate(first_failures.first_failure.1, 'UTC') as day,
    first_failures.first_failure.2 as method,
    first_failures.first_failure.3 as category,
    first_failures.failed_attempts as failed_attempts,
    toBool(tries.last_tried_at >= first_failures.first_failure.1) as is_retried,
    cases.state as case_state,
    -- the cast: a Bool made of a LowCardinality is one too, which no table takes
    toBool(cast(cases.state as String) in ('recovered', 'settled')) as is_recovered,
    cases.recovered_by as recovered_by,
    if(cases.state in ('recovered', 'settled'), cases.recovered_minor, 0) as recovered_minor,
    cases.reversed_minor as reversed_minor,
    -- read before any row, so that what is newer than it cannot be missing without notice
    (select min(position) from {{ source('tinko', 'sink_positions') }} final) as carried_below
from {{ ref('stg_obligations') }} as obligations
inner join first_failures on obligations.obligation_id = first_failures.obligation_id
left join tries on obligations.obligation_id = tries.obligation_id
left join {{ ref('stg_cases') }} as cases on obligations.obligation_id = cases.obligation_id
where obligations.state != 'superseded'
