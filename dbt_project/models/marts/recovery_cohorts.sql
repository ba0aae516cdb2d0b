{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency, days_to_recover)',
    meta={'counts': 'int_failed_obligations'},
    post_hook=["{{ note_position(['int_failed_obligations']) }}"]
) }}
-- Debts that failed on a day, by the whole days it took to bring them back: summed up over
-- days_to_recover they draw the cohort's curve, and with -1 (not recovered) they are all of it.
select
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    -- greatest() and dateDiff() of nothing are not nothing: the null is asked for first
    toInt16(if(
        recovered_at is null,
        -1,
        greatest(0, intDiv(dateDiff('second', first_failed_at, assumeNotNull(recovered_at)), 86400))
    )) as days_to_recover,
    count() as debts,
    sum(due_minor) as due_minor,
    sum(recovered_minor) as recovered_minor
from {{ ref('int_failed_obligations') }}
where {{ rows_to_count() }}
group by org_id, day, connection_id, psp, method, category, currency, days_to_recover
