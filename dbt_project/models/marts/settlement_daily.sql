{{ config(
    order_by='(org_id, day, connection_id, psp, currency, kind, payout_status, on_hold)',
    meta={'counts': 'settlement_daily'},
    pre_hook=["{{ log_changed_days('settlement_lines') }}"],
    post_hook=["{{ note_position() }}"]
) }}
-- Movements of merchants' balances and what the PSP kept of them, by the day (UTC) they were made.
-- That day never changes, so a line that changes reopens no other.
select
    org_id,
    toDate(created_at, 'UTC') as day,
    connection_id,
    psp,
    currency,
    kind,
    payout_status,
    on_hold,
    count() as lines,
    sum(gross_minor) as gross_minor,
    sum(fee_minor) as fee_minor,
    sum(tax_minor) as tax_minor,
    sum(net_minor) as net_minor,
    countIf(settled_at is not null) as settled,
    sum(coalesce(dateDiff('second', created_at, settled_at), 0)) as settling_seconds
from {{ source('tinko', 'settlement_lines') }} final
prewhere {{ created_to_count() }}
group by org_id, day, connection_id, psp, currency, kind, payout_status, on_hold
