-- The current version of every row.
select
    org_id,
    id as payout_id,
    connection_id,
    psp,
    status,
    amount_minor,
    currency,
    itemised,
    created_at,
    row_version
from {{ source('tinko', 'payouts') }} final
