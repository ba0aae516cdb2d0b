{{ config(meta={'dagster': {'ref': {'name': 'int_failed_obligations'}}}) }}
-- Nothing is lost or counted twice between the ledger as it was carried and the fact, per
-- organisation and currency, over the debts that this build took in.
with expected as (
    select
        obligations.org_id as org_id,
        obligations.currency as currency,
        uniqExact(obligations.id) as failed,
        sumIf(cases.recovered_minor, cases.state in ('recovered', 'settled')) as recovered_minor
    from (
        select * from {{ source('tinko', 'obligations') }} final
        prewhere (org_id, id) in (
            select org_id, obligation_id from {{ ref('int_changed_debts') }}
        )
    ) as obligations
    left join (
        select * from {{ source('tinko', 'cases') }} final
        prewhere {{ of_changed_debts_rows('cases') }}
    ) as cases on obligations.id = cases.obligation_id
    where
        obligations.state != 'superseded'
        and obligations.id in (
            select obligation_id from {{ source('tinko', 'attempts') }} final
            prewhere {{ of_changed_debts_rows('attempts') }}
            where state = 'failed'
        )
    group by org_id, currency
),

found as (
    select
        org_id,
        currency,
        count() as failed,
        sum(recovered_minor) as recovered_minor
    from {{ ref('int_failed_obligations') }}
    where {{ of_changed_debts() }}
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
    expected.failed != found.failed
    or expected.recovered_minor != found.recovered_minor
