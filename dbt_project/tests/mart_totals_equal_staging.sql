{{ config(meta={'dagster': {'ref': {'name': 'recovery_daily'}}}) }}
-- Nothing is lost or counted twice between staging and the mart, per organisation and currency.
-- Holds for a mart built at the sink's present position: an older one is not judged.
with expected as (
    select
        obligations.org_id as org_id,
        obligations.currency as currency,
        uniqExact(obligations.obligation_id) as failed,
        sumIf(cases.recovered_minor, cases.state in ('recovered', 'settled')) as recovered_minor
    from {{ ref('stg_obligations') }} as obligations
    left join {{ ref('stg_cases') }} as cases on obligations.obligation_id = cases.obligation_id
    where
        obligations.state != 'superseded'
        and obligations.obligation_id in (
            select obligation_id from {{ ref('stg_attempts') }}
            where state = 'failed'
        )
    group by org_id, currency
),

found as (
    select
        org_id,
        currency,
        sum(failed) as failed,
        sum(recovered_minor) as recovered_minor
    from {{ ref('recovery_daily') }}
    group by org_id, currency
)

select
    expected.org_id as org_id,
    expected.currency as currency,
    expected.failed as expected_failed,
    found.failed as found_failed,
    expected.recovered_minor as expected_minor,
    found.recovered_minor as found_minor
from expected
full outer join found on expected.org_id = found.org_id and expected.currency = found.currency
where
    (
        expected.failed != found.failed
        or expected.recovered_minor != found.recovered_minor
    )
    and (select max(carried_below) from {{ ref('recovery_daily') }})
    = (select min(position) from {{ source('tinko', 'sink_positions') }} final)
