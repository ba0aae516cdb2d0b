{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency)',
    meta={'counts': 'int_failed_obligations'},
    post_hook=["{{ note_position(['int_failed_obligations']) }}"]
) }}
-- What failed on a day and what became of it since: a day's row changes as its debts recover.
select
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    count() as failed,
    sum(due_minor) as failed_minor,
    countIf(is_retried) as retried,
    sumIf(due_minor, is_retried) as retried_minor,
    countIf(outcome = 'recovered') as recovered,
    sum(recovered_minor) as recovered_minor,
    countIf(outcome = 'lost') as lost,
    sumIf(due_minor, outcome = 'lost') as lost_minor,
    countIf(outcome = 'active') as active,
    sumIf(due_minor, outcome = 'active') as active_minor,
    sum(reversed_minor) as reversed_minor
from {{ ref('int_failed_obligations') }}
where {{ rows_to_count() }}
group by org_id, day, connection_id, psp, method, category, currency
