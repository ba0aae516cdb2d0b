-- name: work
-- What each asset between inbox and outbox has to do. Indexes: the partial ones of each table.
select
    (select count(*) from inbox_events as e where e.processed_at is null) as events,
    (
        select count(*) from attempts as a
        where a.state = 'failed' and a.classified_at is null
    ) as failures,
    (select count(*) from failures as f where f.case_id is null) as cases,
    (
        select count(*) from cases as c
        where c.decide_at <= :now and c.state in ('open', 'retrying', 'awaiting_payer')
    ) as decisions,
    (
        select count(*) from attempts as a
        where a.state = 'scheduled' and a.scheduled_at <= :now
    ) as attempts,
    (
        select count(*) from outbox as b
        where b.state in ('pending', 'sending') and b.due_at <= :now
    ) as payer_messages;

-- name: recovered
-- Money that came back after a failure, by currency, in minor units; scanned.
select
    o.currency,
    sum(c.recovered_minor) as minor
from cases as c
inner join obligations as o on c.obligation_id = o.id
where
    -- a dispute takes nothing in the world's own books
    c.state in ('recovered', 'settled', 'disputed', 'reversed')
    and o.paid_minor - o.refunded_minor >= o.due_minor
group by o.currency
order by o.currency;

-- name: totals
-- The ledger's own counts, in the words of the sandbox's truth; scanned.
select
    (select count(*) from obligations as o where o.state <> 'superseded') as obligations,
    (
        select count(*) from attempts as a
        where a.state in ('succeeded', 'failed', 'pending', 'requires_action')
    ) as attempts,
    (select count(*) from attempts as a where a.state = 'failed') as failures,
    (
        select count(*) from attempts as a
        where
            a.state = 'failed'
            and not exists (select 1 from failures as f where f.attempt_id = a.id)
    ) as unclassified,
    (
        select count(*) from failures as f
        inner join attempts as a on f.attempt_id = a.id
        where a.state = 'failed' and f.category = 'unknown'
    ) as unknown,
    (select count(*) from cases) as cases,
    (select count(*) from cases as c where c.state = 'exhausted') as exhausted,
    (select count(*) from cases as c where c.state = 'awaiting_payer') as awaiting_payer,
    (select count(*) from inbox_events as e where e.source = 'webhook') as events_stored,
    (select count(*) from inbox_events as e where e.source = 'heal') as events_healed,
    (select count(*) from inbox_events as e where e.outcome = 'quarantined') as quarantined,
    (select count(*) from inbox_events as e where e.processed_at is null) as unprocessed;

-- name: by_actor
select
    a.actor,
    count(*) as attempts
from attempts as a
where a.state in ('succeeded', 'failed', 'pending', 'requires_action')
group by a.actor;

-- name: settled_debts
-- For each debt with a failure that its net captures have paid: by whom, and how much is due.
select
    o.id, o.currency, o.due_minor,
    (
        select w.actor from (
            select
                a.actor, a.finished_at, a.psp_payment_id,
                sum(a.amount_minor - a.refunded_minor)
                    over (order by a.finished_at, a.psp_payment_id) as total
            from attempts as a
            where a.obligation_id = o.id and a.state = 'succeeded'
        ) as w
        where w.total >= o.due_minor
        order by w.finished_at, w.psp_payment_id
        limit 1
    ) as actor
from obligations as o
where
    o.state <> 'superseded'
    and exists (
        select 1 from attempts as f where f.obligation_id = o.id and f.state = 'failed'
    )
    and (
        select coalesce(sum(a.amount_minor - a.refunded_minor), 0) from attempts as a
        where a.obligation_id = o.id and a.state = 'succeeded'
    ) >= o.due_minor;

-- name: paid_minor
select
    o.currency,
    sum(a.amount_minor - a.refunded_minor) as minor
from attempts as a
inner join obligations as o on a.obligation_id = o.id
where a.state = 'succeeded'
group by o.currency
order by o.currency;

-- name: double_charges
-- Debts whose net captures exceed what was due, whoever paid.
select count(*) as debts
from (
    select o.id
    from obligations as o
    inner join attempts as a on o.id = a.obligation_id
    where a.state = 'succeeded' and o.state <> 'superseded'
    group by o.id, o.due_minor
    having sum(a.amount_minor - a.refunded_minor) > o.due_minor
) as doubles;

-- name: open_findings
-- Findings that stand, by kind; scanned.
select
    f.kind,
    count(*) as findings
from findings as f
where f.state = 'open'
group by f.kind
order by f.kind;

-- name: unreconciled_minor
-- Currencies of which other sums were collected before :until, where the days that are reconciled
-- end, than those days have. Both are scanned.
select
    coalesce(l.currency, d.currency) as currency,
    coalesce(l.minor, 0)::bigint as collected,
    coalesce(d.minor, 0)::bigint as booked
from (
    select
        a.currency,
        sum(a.amount_minor) as minor
    from attempts as a
    where
        a.state = 'succeeded'
        and coalesce(a.occurred_at, a.finished_at, a.created_at) < :until
    group by a.currency
) as l
full join (
    select
        r.currency,
        sum(r.ledger_minor) as minor
    from reconciled_days as r
    group by r.currency
) as d on l.currency = d.currency
where coalesce(l.minor, 0) <> coalesce(d.minor, 0)
order by 1;

-- name: month_sums
-- Rows and minor units of the large tables with ids in [:low, :high), by what they say.
-- Indexes: pk_attempts, pk_inbox_events, pk_notification_deliveries.
select
    'attempts' as relation,
    a.state as says,
    a.currency,
    count(*) as rows,
    sum(a.amount_minor) as minor
from attempts as a
where a.id >= :low and a.id < :high
group by a.state, a.currency
union all
select 'inbox_events', e.event_type, '', count(*), 0
from inbox_events as e
where e.id >= :low and e.id < :high
group by e.event_type
union all
select 'notification_deliveries', n.result, '', count(*), 0
from notification_deliveries as n
where n.id >= :low and n.id < :high
group by n.result;
