-- The current version of every row.
select
    org_id,
    id as connection_id,
    psp,
    label,
    livemode,
    status,
    row_version
from {{ source('tinko', 'connections') }} final
