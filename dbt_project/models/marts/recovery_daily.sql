{{ config(
    engine='MergeTree()',
    order_by='(org_id, day, psp, method, category, currency)'
) }}
-- What failed on a day and what became of it since: a day's row changes as its debts recover.
select
    org_id,
    day,
    psp,
    method,
    category,
    currency,
    count() as failed,
    sum(due_minor) as failed_minor,
    countIf(is_retried) as retried,
    sumIf(due_minor, is_retried) as retried_minor,
    countIf(is_recovered) as recovered,
    sum(recovered_minor) as recovered_minor,
    sum(reversed_minor) as reversed_minor,
    min(carried_below) as carried_below
from {{ ref('int_failed_obligations') }}
group by org_id, day, psp, method, category, currency
