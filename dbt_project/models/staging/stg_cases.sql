-- The current version of every row.
select
    org_id,
    id as case_id,
    connection_id,
    obligation_id,
    policy_version_id,
    state,
    recovered_by,
    recovered_minor,
    reversed_minor,
    currency,
    close_reason,
    opened_at,
    closed_at,
    updated_at,
    row_version
from {{ source('tinko', 'cases') }} final
