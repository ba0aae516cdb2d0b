{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency, case_state, has_mandate)',
    meta={'counts': 'int_failed_obligations'},
    post_hook=["{{ note_position(['int_failed_obligations']) }}"]
) }}
-- Money that failed and is neither recovered nor lost yet, by the day it first failed.
select
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    case_state,
    toUInt8(coalesce(has_mandate, false)) as has_mandate,
    count() as debts,
    sum(facts.due_minor) as due_minor,
    sum(greatest(facts.due_minor - facts.paid_minor, 0)) as outstanding_minor
from {{ ref('int_failed_obligations') }} as facts
where {{ rows_to_count() }} and outcome = 'active'
group by org_id, day, connection_id, psp, method, category, currency, case_state, has_mandate
