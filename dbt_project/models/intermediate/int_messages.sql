{{ config(
    partition_by='toYYYYMM(opened_on)',
    order_by='(org_id, opened_on, obligation_id, message_id)',
    indexes=[{'name': 'day_minmax', 'definition': 'day type minmax'}],
    post_hook=[
        "{{ log_days() }}",
        "{{ note_position(['int_changed_rows', 'int_failed_obligations']) }}"
    ]
) }}
-- One row per message to a payer: how it was delivered, and whether it brought the debt back. Of
-- all messages about a debt that the payer then paid, the last one sent before that is credited.
with messages as (
    select *
    from {{ source('tinko', 'outbox') }} final
    prewhere {{ of_changed_debts_rows('outbox') }}
),

deliveries as (
    select
        outbox_id,
        countIf(result = 'accepted') as accepted,
        countIf(result = 'refused') as refused,
        countIf(result = 'unreachable') as unreachable
    from {{ source('tinko', 'notification_deliveries') }} final
    prewhere outbox_id in (select id from messages)
    group by outbox_id
),

debts as (
    select
        obligation_id,
        connection_id,
        psp,
        method,
        category,
        currency,
        recovered_by,
        recovered_at,
        recovered_minor
    from {{ ref('int_failed_obligations') }}
    where {{ of_changed_debts() }}
),

joined as (
    select
        messages.org_id as org_id,
        messages.obligation_id as obligation_id,
        messages.id as message_id,
        debts.connection_id as connection_id,
        debts.psp as psp,
        debts.method as method,
        debts.category as category,
        debts.currency as currency,
        messages.channel as channel,
        messages.message as template,
        messages.language as language,
        messages.state as state,
        messages.created_at as created_at,
        messages.sent_at as sent_at,
        debts.recovered_minor as recovered_minor,
        toBool(
            debts.recovered_by = 'payer'
            and messages.state = 'sent'
            and messages.sent_at <= debts.recovered_at
        ) as may_be_credited
    from messages
    inner join debts on messages.obligation_id = debts.obligation_id
),

ranked as (
    select
        *,
        row_number() over (
            partition by obligation_id
            order by may_be_credited desc, sent_at desc, toString(message_id) desc
        ) as place
    from joined
)

select
    ranked.org_id as org_id,
    toDate(UUIDv7ToDateTime(ranked.obligation_id, 'UTC')) as opened_on,
    ranked.obligation_id as obligation_id,
    ranked.message_id as message_id,
    ranked.connection_id as connection_id,
    ranked.psp as psp,
    ranked.method as method,
    ranked.category as category,
    ranked.currency as currency,
    toDate(ranked.created_at, 'UTC') as day,
    ranked.channel as channel,
    ranked.template as template,
    ranked.language as language,
    ranked.state as state,
    ranked.sent_at as sent_at,
    deliveries.accepted as accepted,
    deliveries.refused as refused,
    deliveries.unreachable as unreachable,
    toBool(coalesce(ranked.may_be_credited, false) and ranked.place = 1) as is_credited,
    if(is_credited, ranked.recovered_minor, 0) as credited_minor
from ranked
left join deliveries on ranked.message_id = deliveries.outbox_id
