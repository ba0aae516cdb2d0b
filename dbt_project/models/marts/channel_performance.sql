{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency, channel, template, language)',
    meta={'counts': 'int_messages'},
    post_hook=["{{ note_position(['int_messages']) }}"]
) }}
-- Messages written to payers on a day, how they were delivered and what they brought back.
select
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    channel,
    template,
    language,
    count() as messages,
    countIf(state = 'sent') as sent,
    countIf(state in ('failed', 'cancelled')) as unsent,
    sum(accepted) as accepted,
    sum(refused) as refused,
    sum(unreachable) as unreachable,
    uniqExact(obligation_id) as debts,
    countIf(is_credited) as credited,
    sum(credited_minor) as credited_minor
from {{ ref('int_messages') }}
where {{ rows_to_count() }}
group by org_id, day, connection_id, psp, method, category, currency, channel, template, language
