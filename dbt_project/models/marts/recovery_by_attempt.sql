{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency, actor, attempt_number)',
    meta={'counts': 'int_attempts'},
    post_hook=["{{ note_position(['int_attempts']) }}"]
) }}
-- Tries made on a day, by the how-manieth of its debt each was. Past the tenth they are too few to
-- tell apart.
select
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    actor,
    toUInt8(least(number, 10)) as attempt_number,
    count() as tried,
    sum(amount_minor) as tried_minor,
    countIf(state = 'succeeded') as succeeded,
    sumIf(amount_minor, state = 'succeeded') as succeeded_minor,
    countIf(state = 'failed') as declined,
    countIf(state not in ('succeeded', 'failed')) as undecided
from {{ ref('int_attempts') }}
where {{ rows_to_count() }}
group by org_id, day, connection_id, psp, method, category, currency, actor, attempt_number
