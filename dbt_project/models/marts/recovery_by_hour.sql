{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency, actor, payer_weekday, payer_hour)',
    meta={'counts': 'int_attempts'},
    post_hook=["{{ note_position(['int_attempts']) }}"]
) }}
-- Tries to bring a failed debt back, by hour and weekday where the payer lives.
select
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    actor,
    payer_weekday,
    payer_hour,
    count() as tried,
    sum(amount_minor) as tried_minor,
    countIf(state = 'succeeded') as succeeded,
    sumIf(amount_minor, state = 'succeeded') as succeeded_minor,
    countIf(state = 'failed') as declined,
    countIf(state not in ('succeeded', 'failed')) as undecided
from {{ ref('int_attempts') }}
where {{ rows_to_count() }} and failures_before > 0
group by
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    actor,
    payer_weekday,
    payer_hour
