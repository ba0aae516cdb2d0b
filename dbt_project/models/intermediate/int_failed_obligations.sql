{{ config(
    partition_by='toYYYYMM(opened_on)',
    order_by='(org_id, opened_on, obligation_id)',
    indexes=[{'name': 'day_minmax', 'definition': 'day type minmax'}],
    post_hook=[
        "{{ log_days() }}",
        "{{ note_position(['int_changed_rows', 'int_attempts']) }}"
    ]
) }}
-- One row per debt with at least one failed attempt: where it first failed, what we did, what came
-- of it. An attempt that succeeded late is not a failed one any more.
with tries as (
    select *
    from {{ ref('int_attempts') }}
    where {{ of_changed_debts() }}
),

failures as (
    select
        obligation_id,
        any(opened_on) as opened_on,
        argMin(
            tuple(failed_at, method, failure_category), tuple(failed_at, toString(attempt_id))
        ) as first_failure,
        count() as failed_attempts
    from tries
    where state = 'failed'
    group by obligation_id
),

retries as (
    select
        obligation_id,
        maxIf(tried_at, actor = 'tinko') as last_retried_at,
        countIf(actor = 'tinko' and failures_before > 0) as retries,
        minIf(ended_at, state = 'succeeded' and failures_before > 0) as succeeded_at
    from tries
    group by obligation_id
),

debts as (
    select
        org_id,
        id,
        connection_id,
        psp,
        currency,
        due_minor,
        paid_minor,
        has_mandate
    from {{ source('tinko', 'obligations') }} final
    prewhere (org_id, id) in (select org_id, obligation_id from {{ ref('int_changed_debts') }})
    where state != 'superseded'
),

cases as (
    select
        obligation_id,
        id,
        state,
        policy_version_id,
        recovered_by,
        recovered_minor,
        reversed_minor,
        closed_at,
        updated_at
    from {{ source('tinko', 'cases') }} final
    prewhere {{ of_changed_debts_rows('cases') }}
),

rules as (
    select
        obligation_id,
        arraySort(groupUniqArray(rule)) as rules
    from {{ source('tinko', 'decisions') }} final
    prewhere {{ of_changed_debts_rows('decisions') }}
    where rule != ''
    group by obligation_id
)

select
    debts.org_id as org_id,
    failures.opened_on as opened_on,
    debts.id as obligation_id,
    debts.connection_id as connection_id,
    debts.psp as psp,
    debts.currency as currency,
    debts.due_minor as due_minor,
    debts.paid_minor as paid_minor,
    debts.has_mandate as has_mandate,
    failures.first_failure.1 as first_failed_at,
    toDate(failures.first_failure.1, 'UTC') as day,
    failures.first_failure.2 as method,
    failures.first_failure.3 as category,
    failures.failed_attempts as failed_attempts,
    retries.retries as retries,
    toBool(retries.last_retried_at >= failures.first_failure.1) as is_retried,
    cases.id as case_id,
    cases.state as case_state,
    cast({{ outcome('cases.state') }} as LowCardinality(String)) as outcome,
    cases.policy_version_id as policy_version_id,
    rules.rules as rules,
    cases.recovered_by as recovered_by,
    if(outcome = 'recovered', cases.recovered_minor, 0) as recovered_minor,
    cases.reversed_minor as reversed_minor,
    if(
        outcome = 'recovered',
        if(
            retries.succeeded_at > toDateTime64(0, 6, 'UTC'),
            retries.succeeded_at,
            coalesce(cases.closed_at, cases.updated_at)
        ),
        null
    ) as recovered_at
from debts
inner join failures on debts.id = failures.obligation_id
left join retries on debts.id = retries.obligation_id
left join cases on debts.id = cases.obligation_id
left join rules on debts.id = rules.obligation_id
