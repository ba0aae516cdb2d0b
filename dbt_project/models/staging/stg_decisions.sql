-- The current version of every row.
select
    org_id,
    id as decision_id,
    case_id,
    obligation_id,
    policy_version_id,
    action,
    reason,
    rule,
    channel,
    act_at,
    decided_at,
    row_version
from {{ source('tinko', 'decisions') }} final
