{{ config(
    order_by='(org_id, day, connection_id, psp, currency, status)',
    meta={'counts': 'payouts_daily'},
    pre_hook=["{{ log_changed_days('payouts') }}"],
    post_hook=["{{ note_position() }}"]
) }}
-- Transfers to merchants' banks, by the day (UTC) they were made.
select
    org_id,
    toDate(created_at, 'UTC') as day,
    connection_id,
    psp,
    currency,
    status,
    count() as payouts,
    sum(amount_minor) as amount_minor,
    countIf(not itemised) as not_itemised
from {{ source('tinko', 'payouts') }} final
prewhere {{ created_to_count() }}
group by org_id, day, connection_id, psp, currency, status
