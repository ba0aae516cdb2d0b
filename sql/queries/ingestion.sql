-- What PSPs list day by day: the records themselves, and how far each day was listed.

-- name: load_records
-- Insert or correct payments, refunds and disputes; arrays of one length, keys each once. Returns
-- how many rows now say something else, by kind and day. A capture that a later listing shows
-- happened before it: its instant is the listing's. Index: pk_psp_records.
with listed as (
    select *
    from unnest(  -- noqa: PRS
        cast(:connection_id as uuid[]), cast(:object_id as text[]), cast(:org_id as uuid[]),
        cast(:psp as text[]), cast(:kind as text[]), cast(:payment_id as text[]),
        cast(:status as text[]), cast(:amount_minor as bigint[]),
        cast(:refunded_minor as bigint[]), cast(:currency as text[]),
        cast(:fee_minor as bigint[]), cast(:tax_minor as bigint[]), cast(:method as text[]),
        cast(:created_at as timestamptz[]), cast(:captured_at as timestamptz[]),
        cast(:day as date[]), cast(:listed_at as timestamptz[])
    ) as t (
        connection_id, object_id, org_id, psp, kind, payment_id, status, amount_minor,
        refunded_minor, currency, fee_minor, tax_minor, method, created_at, captured_at, day,
        listed_at
    )
),

changed as (
    insert into psp_records as known (
        connection_id, object_id, org_id, psp, kind, payment_id, status, amount_minor,
        refunded_minor, currency, fee_minor, tax_minor, method, created_at, captured_at, day,
        listed_at
    )
    select
        connection_id, object_id, org_id, psp, kind, payment_id, status, amount_minor,
        refunded_minor, currency, fee_minor, tax_minor, method, created_at, captured_at, day,
        listed_at
    from listed
    order by connection_id, object_id
    on conflict (connection_id, object_id) do update
        set
            payment_id = excluded.payment_id,
            status = excluded.status,
            amount_minor = excluded.amount_minor,
            refunded_minor = excluded.refunded_minor,
            currency = excluded.currency,
            fee_minor = coalesce(excluded.fee_minor, known.fee_minor),
            tax_minor = coalesce(excluded.tax_minor, known.tax_minor),
            method = excluded.method,
            captured_at = case
                when excluded.captured_at is null then known.captured_at
                else coalesce(known.captured_at, excluded.listed_at)
            end,
            listed_at = excluded.listed_at
        where
        (
            known.payment_id, known.status, known.amount_minor, known.refunded_minor,
            known.currency, known.fee_minor, known.tax_minor, known.method
        ) is distinct from (
            excluded.payment_id, excluded.status, excluded.amount_minor,
            excluded.refunded_minor, excluded.currency,
            coalesce(excluded.fee_minor, known.fee_minor),
            coalesce(excluded.tax_minor, known.tax_minor), excluded.method
        )
    returning known.kind, known.day
)

select kind, day, count(*) as changed from changed group by kind, day;

-- name: load_lines
-- Insert or correct movements of the balance; arrays of one length, keys each once. Returns how
-- many rows now say something else, by day. What a payout's own listing said of a line (which
-- payout, and when) a listing by creation does not take away. Index: pk_settlement_lines.
with listed as (
    select *
    from unnest(  -- noqa: PRS
        cast(:connection_id as uuid[]), cast(:line_id as text[]), cast(:org_id as uuid[]),
        cast(:psp as text[]), cast(:kind as text[]), cast(:source_id as text[]),
        cast(:payment_id as text[]), cast(:payout_id as text[]),
        cast(:payout_status as text[]), cast(:gross_minor as bigint[]),
        cast(:fee_minor as bigint[]), cast(:tax_minor as bigint[]),
        cast(:net_minor as bigint[]), cast(:currency as text[]),
        cast(:created_at as timestamptz[]), cast(:available_on as timestamptz[]),
        cast(:settled_at as timestamptz[]), cast(:on_hold as boolean[]),
        cast(:exchange_rate as text[]), cast(:utr as text[]), cast(:day as date[]),
        cast(:listed_at as timestamptz[])
    ) as t (
        connection_id, line_id, org_id, psp, kind, source_id, payment_id, payout_id,
        payout_status, gross_minor, fee_minor, tax_minor, net_minor, currency, created_at,
        available_on, settled_at, on_hold, exchange_rate, utr, day, listed_at
    )
),

changed as (
    insert into settlement_lines as known (
        connection_id, line_id, org_id, psp, kind, source_id, payment_id, payout_id,
        payout_status, gross_minor, fee_minor, tax_minor, net_minor, currency, created_at,
        available_on, settled_at, on_hold, exchange_rate, utr, day, listed_at
    )
    select
        connection_id, line_id, org_id, psp, kind, source_id, payment_id, payout_id,
        payout_status, gross_minor, fee_minor, tax_minor, net_minor, currency, created_at,
        available_on, settled_at, on_hold, cast(exchange_rate as numeric), utr, day, listed_at
    from listed
    order by connection_id, line_id
    on conflict (connection_id, line_id) do update
        set
            kind = excluded.kind,
            source_id = coalesce(excluded.source_id, known.source_id),
            payment_id = coalesce(excluded.payment_id, known.payment_id),
            payout_id = coalesce(excluded.payout_id, known.payout_id),
            payout_status = coalesce(excluded.payout_status, known.payout_status),
            gross_minor = excluded.gross_minor,
            fee_minor = excluded.fee_minor,
            tax_minor = excluded.tax_minor,
            net_minor = excluded.net_minor,
            currency = excluded.currency,
            available_on = coalesce(excluded.available_on, known.available_on),
            settled_at = coalesce(excluded.settled_at, known.settled_at),
            on_hold = excluded.on_hold,
            exchange_rate = excluded.exchange_rate,
            utr = coalesce(excluded.utr, known.utr),
            day = case when excluded.settled_at is null then known.day else excluded.day end,
            listed_at = excluded.listed_at
        where
        (
            known.kind, known.source_id, known.payment_id, known.payout_id,
            known.payout_status, known.gross_minor, known.fee_minor, known.tax_minor,
            known.net_minor, known.currency, known.available_on, known.settled_at,
            known.on_hold, known.exchange_rate, known.utr
        ) is distinct from (
            excluded.kind, coalesce(excluded.source_id, known.source_id),
            coalesce(excluded.payment_id, known.payment_id),
            coalesce(excluded.payout_id, known.payout_id),
            coalesce(excluded.payout_status, known.payout_status), excluded.gross_minor,
            excluded.fee_minor, excluded.tax_minor, excluded.net_minor, excluded.currency,
            coalesce(excluded.available_on, known.available_on),
            coalesce(excluded.settled_at, known.settled_at), excluded.on_hold,
            excluded.exchange_rate, coalesce(excluded.utr, known.utr)
        )
    returning known.day
)

select 'settlement_line' as kind, day, count(*) as changed from changed group by day;

-- name: load_payouts
-- Insert or correct payouts; arrays of one length, keys each once. Returns how many rows now say
-- something else, by day. Index: pk_payouts.
with listed as (
    select *
    from unnest(  -- noqa: PRS
        cast(:connection_id as uuid[]), cast(:payout_id as text[]), cast(:org_id as uuid[]),
        cast(:psp as text[]), cast(:status as text[]), cast(:amount_minor as bigint[]),
        cast(:currency as text[]), cast(:created_at as timestamptz[]), cast(:utr as text[]),
        cast(:itemised as boolean[]), cast(:final as boolean[]), cast(:day as date[]),
        cast(:listed_at as timestamptz[])
    ) as t (
        connection_id, payout_id, org_id, psp, status, amount_minor, currency, created_at, utr,
        itemised, final, day, listed_at
    )
),

changed as (
    insert into payouts as known (
        connection_id, payout_id, org_id, psp, status, amount_minor, currency, created_at, utr,
        itemised, final, day, listed_at
    )
    select
        connection_id, payout_id, org_id, psp, status, amount_minor, currency, created_at, utr,
        itemised, final, day, listed_at
    from listed
    order by connection_id, payout_id
    on conflict (connection_id, payout_id) do update
        set
            status = excluded.status,
            amount_minor = excluded.amount_minor,
            currency = excluded.currency,
            utr = coalesce(excluded.utr, known.utr),
            itemised = excluded.itemised,
            final = excluded.final,
            listed_at = excluded.listed_at
        where
        (
            known.status, known.amount_minor, known.currency, known.utr, known.itemised,
            known.final
        ) is distinct from (
            excluded.status, excluded.amount_minor, excluded.currency,
            coalesce(excluded.utr, known.utr), excluded.itemised, excluded.final
        )
    returning known.day
)

select 'payout' as kind, day, count(*) as changed from changed group by day;

-- name: pass_on_payout_status
-- The lines of :payout_ids learn how their payouts stand; returns how many did, by day.
-- Index: ix_settlement_lines_connection_id_payout_id, pk_payouts.
with changed as (
    update settlement_lines as l
    set payout_status = p.status, listed_at = :now
    from payouts as p
    where
        p.connection_id = :connection_id
        and p.payout_id = any(cast(:payout_ids as text[]))
        and l.connection_id = p.connection_id
        and l.payout_id = p.payout_id
        and l.payout_status is distinct from p.status
    returning l.day
)

select 'settlement_line' as kind, day, count(*) as changed from changed group by day;

-- name: cursor_of_day
-- Where the listing of a day was cut short; null where none is under way. Index: pk_ingested_days.
select cursor from ingested_days
where connection_id = :connection_id and kind = :kind and day = :day;

-- name: keep_cursor
-- A page of the day's listing was kept. Index: pk_ingested_days.
insert into ingested_days (connection_id, kind, day, org_id, psp, state, cursor, healed)
values (
    :connection_id, :kind, :day, :org_id, :psp, 'open', cast(:cursor as jsonb), :healed
)
on conflict (connection_id, kind, day) do update
    set cursor = excluded.cursor, healed = ingested_days.healed + excluded.healed;

-- name: note_late
-- Rows of closed days have changed. Days that the listing under way covers stay closed: it lists
-- them whole; the others are to be listed again. Index: pk_ingested_days.
update ingested_days as d
set
    late = d.late + t.changed,
    reopened_at = :now,
    state = case when d.day >= t.covered_from and d.day <= :last then d.state else 'reopened' end
from
    unnest(  -- noqa: PRS
        cast(:kinds as text[]), cast(:days as date[]), cast(:changed as bigint[]),
        cast(:covered_from as date[])
    ) as t (kind, day, changed, covered_from)
where
    d.connection_id = :connection_id
    and d.kind = t.kind
    and d.day = t.day
    and d.state in ('closed', 'reopened');

-- name: end_records
-- The listing of [:first, :last] came to its end: each of its days was listed whole, and so were
-- the disputes of earlier days that are known. Days that had not ended when it began stay open.
-- Index: pk_ingested_days, ix_psp_records_connection_id_day, ix_psp_records_disputes.
with days as (
    select k.kind, cast(d.day as date) as day
    from
        unnest(cast(:kinds as text[])) as k (kind),
        generate_series(cast(:first as date), cast(:last as date), interval '1 day') as d (day)
    union
    select kind, day
    from ingested_days
    where
        connection_id = :connection_id
        and kind = 'dispute'
        and day >= :disputes_from
        and day < :first
),

standing as (
    select
        kind,
        day,
        count(*) as rows
    from psp_records
    where connection_id = :connection_id and day >= :first and day <= :last
    group by kind, day
    union all
    select
        kind,
        day,
        count(*)
    from psp_records
    where
        connection_id = :connection_id
        and kind = 'dispute'
        and day >= :disputes_from
        and day < :first
    group by kind, day
)

insert into ingested_days as known (
    connection_id, kind, day, org_id, psp, state, listed, first_listed_at, last_listed_at
)
select
    :connection_id, d.kind, d.day, :org_id, :psp,
    case when d.day < :open_from then 'closed' else 'open' end,
    coalesce(s.rows, 0), :now, :now
from days as d
left join standing as s on s.kind = d.kind and s.day = d.day
order by d.kind, d.day
on conflict (connection_id, kind, day) do update
    set
        state = excluded.state,
        cursor = null,
        listed = excluded.listed,
        first_listed_at = coalesce(known.first_listed_at, excluded.first_listed_at),
        last_listed_at = excluded.last_listed_at;

-- name: end_settlement
-- The same for the listing of payouts and lines. Index: pk_ingested_days,
-- ix_settlement_lines_connection_id_day, ix_payouts_connection_id_day.
with days as (
    select k.kind, cast(d.day as date) as day
    from
        unnest(cast(:kinds as text[])) as k (kind),
        generate_series(cast(:first as date), cast(:last as date), interval '1 day') as d (day)
),

standing as (
    select 'settlement_line' as kind, day, count(*) as rows
    from settlement_lines
    where connection_id = :connection_id and day >= :first and day <= :last
    group by day
    union all
    select 'payout', day, count(*)
    from payouts
    where connection_id = :connection_id and day >= :first and day <= :last
    group by day
)

insert into ingested_days as known (
    connection_id, kind, day, org_id, psp, state, listed, first_listed_at, last_listed_at
)
select
    :connection_id, d.kind, d.day, :org_id, :psp,
    case when d.day < :open_from then 'closed' else 'open' end,
    coalesce(s.rows, 0), :now, :now
from days as d
left join standing as s on s.kind = d.kind and s.day = d.day
order by d.kind, d.day
on conflict (connection_id, kind, day) do update
    set
        state = excluded.state,
        cursor = null,
        listed = excluded.listed,
        first_listed_at = coalesce(known.first_listed_at, excluded.first_listed_at),
        last_listed_at = excluded.last_listed_at;

-- name: oldest_to_list
-- The oldest of the days :first to :last that late data re-opened, or whose listing was cut short,
-- and the day that listing began with; of active connections.
-- Index: ix_ingested_days_reopened; a short table.
select
    d.psp,
    d.day,
    coalesce(cast(d.cursor ->> 'first' as date), d.day) as began_with
from ingested_days as d
inner join connections as c on d.connection_id = c.id
where
    c.status = 'active'
    and (d.state = 'reopened' or d.cursor is not null)
    and d.kind = any(cast(:kinds as text[]))
    and d.day >= :first
    and d.day <= :last
order by d.day, d.psp, began_with
limit 1;

-- name: days_of
-- The days :first to :last of a PSP over all connections, newest first. A short table.
select
    d.day,
    sum(d.listed) as listed,
    sum(d.late) as late,
    sum(d.healed) as healed,
    bool_and(d.state = 'closed') as closed
from ingested_days as d
where d.psp = :psp and d.kind = :kind and d.day >= :first and d.day <= :last
group by d.day
order by d.day desc;

-- name: totals
-- Per PSP over all connections: what webhooks missed, what came late, and the days that wait to be
-- listed again. A short table, scanned.
select
    psp,
    sum(healed) as missed,
    sum(late) as late,
    count(*) filter (where state = 'reopened') as reopened
from ingested_days
group by psp
order by psp;

-- name: webhook_view
-- What came by webhook since :since, what listings had to heal, also since the last webhook, and
-- what the PSP had meanwhile. Index: pk_inbox_events by time, ix_psp_records_connection_id_day.
with heard as (
    select
        connection_id,
        count(*) as webhooks,
        max(received_at) as last_webhook
    from inbox_events
    where id >= :floor and source = 'webhook'
    group by connection_id
),

healed as (
    select
        e.connection_id,
        count(*) as healed,
        count(*) filter (where e.psp_created_at > h.last_webhook) as unheard
    from inbox_events as e
    left join heard as h on e.connection_id = h.connection_id
    where e.id >= :floor and e.source = 'heal' and e.psp_created_at >= :since
    group by e.connection_id
)

select
    c.id, c.org_id, c.psp, h.last_webhook,
    coalesce(h.webhooks, 0) as webhooks,
    coalesce(e.healed, 0) as healed,
    coalesce(e.unheard, 0) as unheard,
    (
        select count(*) from psp_records as r
        where
            r.connection_id = c.id
            and r.kind = 'payment'
            and r.day >= cast(:since as date)
            and r.created_at >= :since
            and r.created_at < :until
    ) as payments
from connections as c
left join heard as h on c.id = h.connection_id
left join healed as e on c.id = e.connection_id
where c.status = 'active' and c.psp = :psp and c.created_at < :since
order by c.id;

-- name: note_webhooks
-- How webhooks stand, as it was last looked at; arrays of one length. Index: pk_webhook_watch.
insert into webhook_watch as known (
    connection_id, org_id, psp, hearing, since, looked_wall
)
select
    connection_id, org_id, psp, hearing, :now, :wall
from
    unnest(  -- noqa: PRS
        cast(:connection_ids as uuid[]), cast(:org_ids as uuid[]), cast(:psps as text[]),
        cast(:hearings as text[])
    ) as t (connection_id, org_id, psp, hearing)
order by connection_id
on conflict (connection_id) do update
    set
        hearing = excluded.hearing,
        since = case
            when known.hearing = excluded.hearing then known.since else excluded.since
        end,
        looked_wall = excluded.looked_wall;

-- name: hearings
-- Active connections by how their webhooks stand, and when those of a PSP were last looked at.
-- A short table, scanned.
select
    w.psp,
    w.hearing,
    count(*) as connections,
    min(w.looked_wall) as looked_wall
from webhook_watch as w
inner join connections as c on w.connection_id = c.id
where c.status = 'active'
group by w.psp, w.hearing
order by w.psp, w.hearing;

-- name: note_schedule
-- How often a connection is paid out, where the PSP says another than before (null: nothing).
-- Index: pk_payout_schedules.
insert into payout_schedules as known (connection_id, org_id, payout_interval, since)
values (:connection_id, :org_id, :interval, :now)
on conflict (connection_id) do update
    set payout_interval = excluded.payout_interval, since = excluded.since
    where known.payout_interval is distinct from excluded.payout_interval;

-- name: note_unpaid_days
-- Days of payments whose money is in the balance and in no payout: whether that is late is another
-- question now. Indexes: ix_settlement_lines_connection_id_payout_id, pk_psp_records.
insert into unreconciled_days (connection_id, day, org_id, noted_at)
select distinct r.connection_id, r.day, r.org_id, cast(:now as timestamptz)
from settlement_lines as l
inner join psp_records as r on l.connection_id = r.connection_id and l.source_id = r.object_id
where
    l.connection_id = :connection_id
    and l.payout_id is null
    and l.kind = 'payment'
    and r.org_id = :org_id
on conflict (connection_id, day) do nothing;
