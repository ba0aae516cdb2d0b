-- The current version of every row.
select
    org_id,
    id as message_id,
    case_id,
    obligation_id,
    message,
    channel,
    language,
    state,
    tries,
    due_at,
    sent_at,
    created_at,
    row_version
from {{ source('tinko', 'outbox') }} final
