-- The current version of every row.
select
    org_id,
    id as delivery_id,
    outbox_id,
    channel,
    result,
    at,
    row_version
from {{ source('tinko', 'notification_deliveries') }} final
