{{ config(meta={'dagster': {'ref': {'name': 'recovery_cohorts'}}}) }}
-- The weeks that this build counted again come to what the fact holds, per organisation and currency
with expected as (
    select
        org_id,
        currency,
        tuple(toInt64(count()), toInt64(sum(facts.due_minor))) as measured
    from {{ ref('int_failed_obligations') }} as facts
    where {{ reopened_in_build('int_failed_obligations') }}
    group by org_id, currency
),

found as (
    select
        org_id,
        currency,
        tuple(toInt64(sum(debts)), toInt64(sum(due_minor))) as measured
    from {{ ref('recovery_cohorts') }}
    where {{ reopened_in_build('int_failed_obligations') }}
    group by org_id, currency
)

select
    expected.org_id as org_id,
    expected.currency as currency,
    expected.measured as expected_measures,
    found.measured as found_measures
from expected
full outer join found on expected.org_id = found.org_id and expected.currency = found.currency
where expected.measured != found.measured
