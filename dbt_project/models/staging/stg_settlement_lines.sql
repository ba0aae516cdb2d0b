-- The current version of every row.
select
    org_id,
    id as line_id,
    connection_id,
    psp,
    kind,
    source_id,
    payment_id,
    payout_id as paid_out_in,
    payout_status,
    gross_minor,
    fee_minor,
    tax_minor,
    net_minor,
    currency,
    on_hold,
    created_at,
    settled_at,
    row_version
from {{ source('tinko', 'settlement_lines') }} final
