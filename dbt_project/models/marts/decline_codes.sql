{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency, network, failure_category, code, reason, network_decline_code, network_advice_code, retry_advice, hard, decided_by)',
    meta={'counts': 'int_attempts'},
    post_hook=["{{ note_position(['int_attempts']) }}"]
) }}
-- Failed tries by what the PSP and the network said, and by the row of our tables that read it.
select
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    network,
    failure_category,
    code,
    reason,
    network_decline_code,
    network_advice_code,
    retry_advice,
    hard,
    decided_by,
    count() as declined,
    sum(amount_minor) as declined_minor,
    countIf(failures_before = 0) as first_declines
from {{ ref('int_attempts') }}
where {{ rows_to_count() }} and state = 'failed'
group by
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    network,
    failure_category,
    code,
    reason,
    network_decline_code,
    network_advice_code,
    retry_advice,
    hard,
    decided_by
