-- What /v1/analytics counts from Postgres: what the marts have not built yet, or everything while
-- ClickHouse is away. All run as tinko_app: row-level security shows one organisation. `tries` and
-- `debts` are the facts int_attempts and int_failed_obligations of dbt over the debts of
-- `candidates`; core/analytics/reading/ledger.py puts them together and groups them.

-- name: moved_debts
-- Purpose: debts that changed, or went, since a position; the marts of that position count them as
-- they were. All that int_changed_debts of dbt names is here, since a build that is under way may
-- have forgotten it. Parameters: position, most. Index: ix_obligations_row_version and its like.
with moved as (
    select o.id as debt_id from obligations as o
    where o.row_version >= :position
    union
    select o.superseded_by as debt_id from obligations as o
    where o.row_version >= :position and o.superseded_by is not null
    union
    select a.obligation_id as debt_id from attempts as a
    where a.row_version >= :position
    union
    select f.obligation_id as debt_id from failures as f
    where f.row_version >= :position
    union
    select c.obligation_id as debt_id from cases as c
    where c.row_version >= :position
    union
    select d.obligation_id as debt_id from decisions as d
    where d.row_version >= :position
    union
    select m.obligation_id as debt_id from outbox as m
    where m.row_version >= :position
    union
    select m.obligation_id as debt_id
    from notification_deliveries as n
    inner join outbox as m on n.outbox_id = m.id
    where n.row_version >= :position
    union
    -- what is held back is gone for analytics, while its rows are still here
    select
        case
            when d.relation = 'obligations' then d.key
            else coalesce(a.obligation_id, c.obligation_id)
        end as debt_id
    from deleted_rows as d
    left join attempts as a on d.relation in ('attempts', 'failures') and d.key = a.id
    left join cases as c on d.relation = 'cases' and d.key = c.id
    where d.row_version >= :position
)

select m.debt_id from moved as m
where m.debt_id is not null
order by m.debt_id
limit :most;

-- name: gone_rows
-- Purpose: rows that were deleted since a position; only ClickHouse still knows whose they were.
-- Parameters: position. Index: ix_deleted_rows_row_version, primary keys.
select d.key
from deleted_rows as d
where
    d.row_version >= :position
    and d.relation in ('attempts', 'failures', 'cases')
    and not exists (select 1 from attempts as a where d.key = a.id)
    and not exists (select 1 from cases as c where d.key = c.id);

-- name: listed
-- Purpose: candidates by their ids. Parameters: debt_ids. Index: none.
select unnest(cast(:debt_ids as uuid[])) as obligation_id;

-- name: failed_between
-- Purpose: candidates of a range of days: every debt with a failure in it, first or not.
-- Parameters: first, last (days, UTC). Index: ix_failures_org_id_failed_at, by row security;
-- ix_attempts_unclassified.
select f.obligation_id
from failures as f
where
    f.failed_at >= cast(cast(:first as date) as timestamp) at time zone 'UTC'
    and f.failed_at < cast(cast(:last as date) + 1 as timestamp) at time zone 'UTC'
union
select a.obligation_id
from attempts as a
where a.state = 'failed' and a.classified_at is null;

-- name: tried_between
-- Purpose: candidates of a range of days: every debt with a try in it. Parameters: first, last.
-- Index: sequential over the months.
select a.obligation_id
from attempts as a
where
    coalesce(a.submitted_at, a.occurred_at, a.created_at)
    >= cast(cast(:first as date) as timestamp) at time zone 'UTC'
    and coalesce(a.submitted_at, a.occurred_at, a.created_at)
    < cast(cast(:last as date) + 1 as timestamp) at time zone 'UTC'
group by a.obligation_id;

-- name: archived_until
-- Purpose: the end of the newest month whose tries are not here any more; null where all are.
-- Parameters: none. Index: pk_archives.
select max(cast(g.month || '-01' as timestamp) + interval '1 month') as ends
from archives as g
where g.relation = 'attempts' and g.state in ('detached', 'dropped', 'discarded');

-- name: own_connections
-- Purpose: which of some connections are the tenant's. Parameters: ids. Index: pk_connections.
select c.id
from connections as c
where c.id = any(cast(:ids as uuid[]));

-- name: tries
-- Purpose: tries that were made on the candidates, as int_attempts has them. Tries in the archive
-- are known by what is left of them here: their failures, references and history; not their method
-- and amount. Parameters: countries, zones (arrays of one length: countries that keep one time).
-- Index: pk_obligations, ix_attempts_obligation_id, pk_failures, ix_quarantine_debt_id.
with owed as (
    select
        o.id,
        o.connection_id,
        o.psp,
        o.currency,
        coalesce(z.zone, nullif(w.timezone, ''), 'UTC') as zone
    from candidates as d
    inner join obligations as o on d.obligation_id = o.id
    left join organisations as w on o.org_id = w.org_id
    left join unnest(cast(:countries as text[]), cast(:zones as text[])) as z (country, zone)
        on o.payer_country = z.country
    where
        o.state <> 'superseded'
        -- a debt in quarantine is in no mart
        and not exists (
            select 1 from quarantine as held
            where o.id = held.debt_id and held.state in ('quarantined', 'dropped')
        )
),

gone as (
    select g.high
    from archives as g
    where g.relation = 'attempts' and g.state in ('detached', 'dropped', 'discarded')
    order by g.high desc
    limit 1
),

archived as (
    select
        o.*,
        named.attempt_id,
        ended.to_state as state,
        ended.at
    from gone
    inner join owed as o on o.id < gone.high
    inner join lateral (
        select f.attempt_id from failures as f
        where o.id = f.obligation_id and f.attempt_id < gone.high
        union
        select r.attempt_id from psp_refs as r
        where o.id = r.obligation_id and r.attempt_id < gone.high
    ) as named on true
    inner join lateral (
        select
            h.to_state,
            h.at
        from state_history as h
        where h.entity = 'attempt' and named.attempt_id = h.entity_id
        order by h.seq desc
        limit 1
    ) as ended on true
    where not exists (select 1 from attempts as a where named.attempt_id = a.id)
),

made as (
    select
        a.obligation_id,
        a.id as attempt_id,
        a.connection_id,
        a.psp,
        a.currency,
        o.zone,
        a.actor,
        a.state,
        a.method,
        a.amount_minor,
        coalesce(a.submitted_at, a.occurred_at, a.created_at) as tried_at,
        coalesce(a.finished_at, a.occurred_at, a.created_at) as ended_at,
        false as is_archived
    from owed as o
    inner join attempts as a on o.id = a.obligation_id
    union all
    select
        g.id as obligation_id,
        g.attempt_id,
        g.connection_id,
        g.psp,
        g.currency,
        g.zone,
        -- only ours are claimed before they are made
        case
            when exists (
                select 1 from state_history as h
                where h.entity = 'attempt' and g.attempt_id = h.entity_id and h.to_state = 'claimed'
            ) then 'tinko' else 'unknown'
        end as actor,
        g.state,
        'unknown' as method,
        0 as amount_minor,
        g.at as tried_at,
        g.at as ended_at,
        true as is_archived
    from archived as g
),

told as (
    select
        m.*,
        case
            when m.state = 'failed' then coalesce(f.category, 'unclassified') else ''
        end as failure_category,
        coalesce(f.failed_at, m.ended_at) as failed_at
    from made as m
    left join failures as f on m.attempt_id = f.attempt_id
    where m.state not in ('scheduled', 'claimed', 'cancelled', 'not_sent')
)

select
    t.*,
    cast(t.tried_at at time zone 'UTC' as date) as day,
    cast(extract(isodow from t.tried_at at time zone t.zone) as int) as payer_weekday,
    cast(extract(hour from t.tried_at at time zone t.zone) as int) as payer_hour,
    least(row_number() over in_order, 10) as attempt_number,
    count(*) filter (where t.state = 'failed') over (
        partition by t.obligation_id
        order by t.tried_at, t.attempt_id
        rows between unbounded preceding and 1 preceding
    ) as failures_before,
    first_value(t.failure_category) over failed_first as category,
    first_value(t.method) over failed_first as first_method,
    first_value(t.failed_at) over failed_first as first_failed_at
from told as t
window
    in_order as (partition by t.obligation_id order by t.tried_at, t.attempt_id),
    failed_first as (
        partition by t.obligation_id
        order by (t.state = 'failed') desc, t.failed_at asc, t.attempt_id asc
    );

-- name: debts
-- Purpose: the candidates with a failed try, as int_failed_obligations has them, from `tries`.
-- Parameters: none. Index: pk_obligations, uq_cases_obligation_id, ix_outbox_case_id,
-- pk_deleted_rows.
with failed as (
    select
        t.obligation_id,
        min(t.first_failed_at) as first_failed_at,
        min(t.first_method) as method,
        min(t.category) as category,
        max(t.tried_at) filter (where t.actor = 'tinko') as last_retried_at,
        min(t.ended_at) filter (
            where t.state = 'succeeded' and t.failures_before > 0
        ) as succeeded_at
    from tries as t
    group by t.obligation_id
    having bool_or(t.state = 'failed')
),

ended as (
    select
        f.*,
        o.connection_id,
        o.psp,
        o.currency,
        o.due_minor,
        o.paid_minor,
        c.id as case_id,
        coalesce(c.state, '') as case_state,
        coalesce(c.policy_version_id, '00000000-0000-0000-0000-000000000000') as policy_version_id,
        case
            when c.state in ('recovered', 'settled') then 'recovered'
            when c.state in ('exhausted', 'cancelled', 'reversed') then 'lost'
            else 'active'
        end as outcome,
        coalesce(c.recovered_minor, 0) as brought_minor,
        coalesce(c.reversed_minor, 0) as reversed_minor,
        coalesce(f.succeeded_at, c.closed_at, c.updated_at) as recovered_at
    from failed as f
    inner join obligations as o on f.obligation_id = o.id
    left join cases as c on o.id = c.obligation_id
),

-- messages of cases that are gone: those of a case that is there are found by it
asked_before as (
    select m.obligation_id
    from deleted_rows as d
    inner join outbox as m on d.key = m.case_id
    where d.relation = 'cases' and m.state = 'sent'
)

select
    e.*,
    cast(e.first_failed_at at time zone 'UTC' as date) as day,
    coalesce(e.last_retried_at >= e.first_failed_at, false) as is_retried,
    exists (
        select 1 from outbox as m
        where
            e.case_id = m.case_id
            and e.obligation_id = m.obligation_id
            and m.state = 'sent'
    )
    or e.obligation_id in (select a.obligation_id from asked_before as a) as is_asked,
    case when e.outcome = 'recovered' then e.brought_minor else 0 end as recovered_minor,
    case
        when e.outcome = 'recovered'
            then greatest(0, cast(floor(extract(
                epoch from date_trunc('second', e.recovered_at) - date_trunc('second', e.first_failed_at)
            ) / 86400) as int))
        else -1
    end as days_to_recover
from ended as e;
