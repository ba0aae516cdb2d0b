-- The current version of every row.
select
    org_id,
    attempt_id,
    obligation_id,
    case_id,
    psp,
    category,
    retry_advice,
    hard,
    who_acts,
    confidence,
    late_authorisation,
    decided_by,
    code,
    reason,
    network,
    network_decline_code,
    network_advice_code,
    failed_at,
    created_at,
    row_version
from {{ source('tinko', 'failures') }} final
