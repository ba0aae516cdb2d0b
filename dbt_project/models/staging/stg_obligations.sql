-- The current version of every row.
select
    org_id,
    id as obligation_id,
    connection_id,
    psp,
    state,
    due_minor,
    paid_minor,
    refunded_minor,
    currency,
    payer_country,
    psp_retries,
    has_mandate,
    cycle_end,
    superseded_by,
    created_at,
    updated_at,
    row_version
from {{ source('tinko', 'obligations') }} final
