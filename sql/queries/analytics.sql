-- The analytics sink and the comparison of its mart with the ledger. All run as tinko_worker.

-- name: snapshot_floor
-- Purpose: the lowest transaction id that may still be running; all below it are visible or gone.
-- Parameters: none. Index: none.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as floor;

-- name: watermark
-- Purpose: how far a relation was carried. Parameters: sink, relation. Index: pk_sink_watermarks.
select position
from sink_watermarks
where
    sink = :sink
    and relation = :relation;

-- name: advance_watermark
-- Purpose: remember how far a relation was carried; of two runs at once the further one counts.
-- Parameters: sink, relation, position, carried, at. Index: pk_sink_watermarks.
insert into sink_watermarks as known (sink, relation, position, rows, updated_at)
values (:sink, :relation, :position, :carried, :at)
on conflict (sink, relation) do update
    set
        position = greatest(known.position, excluded.position),
        rows = known.rows + excluded.rows,
        updated_at = excluded.updated_at;

-- name: rewind_watermark
-- Purpose: have a relation carried again from its first row. Parameters: sink, relation.
-- Index: pk_sink_watermarks.
delete from sink_watermarks
where
    sink = :sink
    and relation = :relation;

-- name: waiting
-- Purpose: whether anything has changed since it was last carried. Parameters: sink.
-- Index: ix_obligations_row_version and its like on each relation.
with carried as (
    select coalesce(jsonb_object_agg(relation, position), '{}') as positions
    from sink_watermarks
    where sink = :sink
)

select
    exists (
        select 1 from obligations
        where row_version >= coalesce((c.positions ->> 'obligations')::bigint, 0)
    )
    or exists (
        select 1 from attempts
        where row_version >= coalesce((c.positions ->> 'attempts')::bigint, 0)
    )
    or exists (
        select 1 from failures
        where row_version >= coalesce((c.positions ->> 'failures')::bigint, 0)
    )
    or exists (
        select 1 from cases
        where row_version >= coalesce((c.positions ->> 'cases')::bigint, 0)
    )
    or exists (
        select 1 from decisions
        where row_version >= coalesce((c.positions ->> 'decisions')::bigint, 0)
    )
    or exists (
        select 1 from outbox
        where row_version >= coalesce((c.positions ->> 'outbox')::bigint, 0)
    )
    or exists (
        select 1 from notification_deliveries
        where row_version >= coalesce((c.positions ->> 'notification_deliveries')::bigint, 0)
    )
    or exists (
        select 1 from settlement_lines
        where row_version >= coalesce((c.positions ->> 'settlement_lines')::bigint, 0)
    )
    or exists (
        select 1 from payouts
        where row_version >= coalesce((c.positions ->> 'payouts')::bigint, 0)
    )
    or exists (
        select 1 from policy_versions
        where row_version >= coalesce((c.positions ->> 'policy_versions')::bigint, 0)
    )
    or exists (
        select 1 from rule_versions
        where row_version >= coalesce((c.positions ->> 'rule_versions')::bigint, 0)
    )
    or exists (
        select 1 from organisations
        where row_version >= coalesce((c.positions ->> 'organisations')::bigint, 0)
    )
    or exists (
        select 1 from connections
        where row_version >= coalesce((c.positions ->> 'connections')::bigint, 0)
    )
    or exists (
        select 1 from deleted_rows as d
        where d.row_version >= coalesce((c.positions ->> d.relation)::bigint, 0)
    ) as waiting
from carried as c;

-- name: read_obligations
-- Purpose: one page of debts whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_obligations_row_version.
select
    org_id::text as org_id,
    id::text as id,
    connection_id::text as connection_id,
    psp,
    state,
    due_minor,
    paid_minor,
    refunded_minor,
    currency,
    coalesce(payer_country, '') as payer_country,
    psp_retries,
    has_mandate,
    cycle_end,
    superseded_by::text as superseded_by,
    created_at,
    updated_at,
    row_version
from obligations
where
    row_version >= :low
    and row_version < :high
    and (row_version, obligations.id) > (:after_version, cast(:after_key as uuid))
order by row_version, obligations.id
limit :size;

-- name: read_attempts
-- Purpose: one page of tries whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_attempts_row_version.
select
    org_id::text as org_id,
    id::text as id,
    connection_id::text as connection_id,
    psp,
    obligation_id::text as obligation_id,
    case_id::text as case_id,
    actor,
    state,
    coalesce(psp_payment_id, '') as psp_payment_id,
    amount_minor,
    refunded_minor,
    currency,
    method,
    coalesce(network, '') as network,
    coalesce(country, '') as country,
    payer_present,
    disputed,
    decision_id::text as decision_id,
    scheduled_at,
    submitted_at,
    occurred_at,
    finished_at,
    created_at,
    updated_at,
    row_version
from attempts
where
    row_version >= :low
    and row_version < :high
    and (row_version, attempts.id) > (:after_version, cast(:after_key as uuid))
order by row_version, attempts.id
limit :size;

-- name: read_failures
-- Purpose: one page of failures whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_failures_row_version.
select
    org_id::text as org_id,
    attempt_id::text as attempt_id,
    obligation_id::text as obligation_id,
    case_id::text as case_id,
    psp,
    category,
    retry_advice,
    hard,
    who_acts,
    confidence,
    late_authorisation,
    decided_by,
    coalesce(code, '') as code,
    coalesce(reason, '') as reason,
    coalesce(network, '') as network,
    coalesce(network_decline_code, '') as network_decline_code,
    coalesce(network_advice_code, '') as network_advice_code,
    failed_at,
    created_at,
    row_version
from failures
where
    row_version >= :low
    and row_version < :high
    and (row_version, failures.attempt_id) > (:after_version, cast(:after_key as uuid))
order by row_version, failures.attempt_id
limit :size;

-- name: read_cases
-- Purpose: one page of cases whose version lies in [low, high), after a version and key; the
-- currency is their debt's, which never changes.
-- Parameters: low, high, after_version, after_key, size. Index: ix_cases_row_version.
select
    c.org_id::text as org_id,
    c.id::text as id,
    c.connection_id::text as connection_id,
    c.obligation_id::text as obligation_id,
    c.policy_version_id::text as policy_version_id,
    c.state,
    coalesce(c.recovered_by, '') as recovered_by,
    c.recovered_minor,
    c.reversed_minor,
    o.currency,
    coalesce(c.close_reason, '') as close_reason,
    c.opened_at,
    c.closed_at,
    c.updated_at,
    c.row_version
from cases as c
inner join obligations as o on c.obligation_id = o.id
where
    c.row_version >= :low
    and c.row_version < :high
    and (c.row_version, c.id) > (:after_version, cast(:after_key as uuid))
order by c.row_version, c.id
limit :size;

-- name: read_decisions
-- Purpose: one page of decisions whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_decisions_row_version.
select
    org_id::text as org_id,
    id::text as id,
    case_id::text as case_id,
    obligation_id::text as obligation_id,
    policy_version_id::text as policy_version_id,
    action,
    coalesce(reasons -> 'reasons' ->> 0, '') as reason,
    coalesce(reasons ->> 'rule', '') as rule,
    coalesce(reasons ->> 'channel', '') as channel,
    act_at,
    decided_at,
    row_version
from decisions
where
    row_version >= :low
    and row_version < :high
    and (row_version, decisions.id) > (:after_version, cast(:after_key as uuid))
order by row_version, decisions.id
limit :size;

-- name: read_outbox
-- Purpose: one page of messages, without their text and whom they are for whose version lies in
-- [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_outbox_row_version.
select
    org_id::text as org_id,
    id::text as id,
    case_id::text as case_id,
    obligation_id::text as obligation_id,
    message,
    channel,
    language,
    state,
    tries,
    due_at,
    sent_at,
    created_at,
    row_version
from outbox
where
    row_version >= :low
    and row_version < :high
    and (row_version, outbox.id) > (:after_version, cast(:after_key as uuid))
order by row_version, outbox.id
limit :size;

-- name: read_notification_deliveries
-- Purpose: one page of tries to deliver a message whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_notification_deliveries_row_version.
select
    org_id::text as org_id,
    id::text as id,
    outbox_id::text as outbox_id,
    channel,
    result,
    at,
    row_version
from notification_deliveries
where
    row_version >= :low
    and row_version < :high
    and (row_version, notification_deliveries.id) > (:after_version, cast(:after_key as uuid))
order by row_version, notification_deliveries.id
limit :size;

-- name: read_settlement_lines
-- Purpose: one page of movements of merchants' balances whose version lies in [low, high), after a
-- version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_settlement_lines_row_version.
select
    org_id::text as org_id,
    connection_id::text || '/' || line_id as id,
    connection_id::text as connection_id,
    psp,
    kind,
    coalesce(source_id, '') as source_id,
    coalesce(payment_id, '') as payment_id,
    coalesce(payout_id, '') as payout_id,
    coalesce(payout_status, '') as payout_status,
    gross_minor,
    fee_minor,
    tax_minor,
    net_minor,
    currency,
    on_hold,
    created_at,
    settled_at,
    row_version
from settlement_lines
where
    row_version >= :low
    and row_version < :high
    and (row_version, (connection_id::text || '/' || line_id) collate "C")
    > (:after_version, cast(:after_key as text))
order by row_version, (connection_id::text || '/' || line_id) collate "C"
limit :size;

-- name: read_payouts
-- Purpose: one page of payouts whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_payouts_row_version.
select
    org_id::text as org_id,
    connection_id::text || '/' || payout_id as id,
    connection_id::text as connection_id,
    psp,
    status,
    amount_minor,
    currency,
    itemised,
    created_at,
    row_version
from payouts
where
    row_version >= :low
    and row_version < :high
    and (row_version, (connection_id::text || '/' || payout_id) collate "C")
    > (:after_version, cast(:after_key as text))
order by row_version, (connection_id::text || '/' || payout_id) collate "C"
limit :size;

-- name: read_policy_versions
-- Purpose: one page of policy versions whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_policy_versions_row_version.
select
    org_id::text as org_id,
    id::text as id,
    name,
    version,
    created_at,
    row_version
from policy_versions
where
    row_version >= :low
    and row_version < :high
    and (row_version, policy_versions.id) > (:after_version, cast(:after_key as uuid))
order by row_version, policy_versions.id
limit :size;

-- name: read_rule_versions
-- Purpose: one page of versions of rules whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_rule_versions_row_version.
select
    org_id::text as org_id,
    id::text as id,
    rule_id::text as rule_id,
    version,
    name,
    deleted,
    created_at,
    row_version
from rule_versions
where
    row_version >= :low
    and row_version < :high
    and (row_version, rule_versions.id) > (:after_version, cast(:after_key as uuid))
order by row_version, rule_versions.id
limit :size;

-- name: read_organisations
-- Purpose: one page of organisations whose version lies in [low, high), after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_organisations_row_version.
select
    org_id::text as org_id,
    slug,
    name,
    timezone,
    row_version
from organisations
where
    row_version >= :low
    and row_version < :high
    and (row_version, organisations.org_id) > (:after_version, cast(:after_key as uuid))
order by row_version, organisations.org_id
limit :size;

-- name: read_connections
-- Purpose: one page of connections, without their credentials whose version lies in [low, high),
-- after a version and key.
-- Parameters: low, high, after_version, after_key, size. Index: ix_connections_row_version.
select
    org_id::text as org_id,
    id::text as id,
    psp,
    label,
    livemode,
    status,
    row_version
from connections
where
    row_version >= :low
    and row_version < :high
    and (row_version, connections.id) > (:after_version, cast(:after_key as uuid))
order by row_version, connections.id
limit :size;

-- name: read_deleted
-- Purpose: one page of rows that were deleted from a relation, with a version in [low, high).
-- Parameters: relation, low, high, after_version, after_key, size.
-- Index: ix_deleted_rows_row_version.
select
    d.org_id::text as org_id,
    d.key::text as key,
    d.row_version,
    1 as is_deleted
from deleted_rows as d
where
    d.relation = :relation
    and d.row_version >= :low
    and d.row_version < :high
    and (d.row_version, d.key) > (:after_version, cast(:after_key as uuid))
order by d.row_version, d.key
limit :size;

-- name: ledger_totals
-- Purpose: what recovery_daily and at_risk (its debts, due_minor and outstanding_minor) must come to,
-- counted from the ledger itself, per organisation, day of the first failure (UTC), PSP and currency.
-- Parameters: none. Index: ix_attempts_obligation_id, uq_cases_obligation_id,
-- ix_state_history_entity_id.
with first_failures as (
    select distinct on (tries.obligation_id)
        tries.obligation_id,
        tries.failed_at
    from (
        select
            a.obligation_id,
            a.id,
            coalesce(f.failed_at, a.finished_at, a.occurred_at, a.created_at) as failed_at
        from attempts as a
        left join failures as f on a.id = f.attempt_id
        where a.state = 'failed'
        union all
        -- what stays here of tries that are in the archive: their failures, and how they ended
        select f.obligation_id, f.attempt_id, f.failed_at
        from archives as g
        inner join failures as f on f.attempt_id >= g.low and f.attempt_id < g.high
        where
            g.relation = 'attempts' and g.state in ('detached', 'dropped', 'discarded')
            and 'failed' = (
                select h.to_state from state_history as h
                where h.entity = 'attempt' and h.entity_id = f.attempt_id
                order by h.seq desc limit 1
            )
    ) as tries
    order by tries.obligation_id asc, tries.failed_at asc, tries.id asc
),

tried as (
    select x.obligation_id
    from first_failures as x
    inner join attempts as a on x.obligation_id = a.obligation_id
    where
        a.actor = 'tinko'
        and a.state not in ('scheduled', 'claimed', 'cancelled', 'not_sent')
        and coalesce(a.submitted_at, a.occurred_at, a.created_at) >= x.failed_at
    union
    -- ours in the archive left their key, and their end in the history
    select x.obligation_id
    from archives as g
    inner join idempotency_keys as k on k.attempt_id >= g.low and k.attempt_id < g.high
    inner join first_failures as x on k.obligation_id = x.obligation_id
    inner join lateral (
        select h.to_state, h.at from state_history as h
        where h.entity = 'attempt' and h.entity_id = k.attempt_id
        order by h.seq desc limit 1
    ) as ended on true
    where
        g.relation = 'attempts' and g.state in ('detached', 'dropped', 'discarded')
        and ended.to_state not in ('scheduled', 'claimed', 'cancelled', 'not_sent')
        and ended.at >= x.failed_at
),

ended_cases as (
    select c.obligation_id from cases as c
    where c.state in ('recovered', 'settled', 'exhausted', 'cancelled', 'reversed')
)

select
    o.org_id::text as org_id,
    (x.failed_at at time zone 'UTC')::date as day,
    o.psp,
    o.currency,
    count(*) as failed,
    sum(o.due_minor)::bigint as failed_minor,
    count(t.obligation_id) as retried,
    coalesce(sum(o.due_minor) filter (where t.obligation_id is not null), 0)::bigint as retried_minor,
    count(*) filter (where c.state in ('recovered', 'settled')) as recovered,
    coalesce(
        sum(c.recovered_minor) filter (where c.state in ('recovered', 'settled')), 0
    )::bigint as recovered_minor,
    count(*) filter (where c.state in ('exhausted', 'cancelled', 'reversed')) as lost,
    coalesce(
        sum(o.due_minor) filter (where c.state in ('exhausted', 'cancelled', 'reversed')), 0
    )::bigint as lost_minor,
    coalesce(sum(c.reversed_minor), 0)::bigint as reversed_minor,
    count(*) filter (where e.obligation_id is null) as debts,
    coalesce(sum(o.due_minor) filter (where e.obligation_id is null), 0)::bigint as due_minor,
    coalesce(
        sum(greatest(o.due_minor - o.paid_minor, 0)) filter (where e.obligation_id is null), 0
    )::bigint as outstanding_minor
from first_failures as x
inner join obligations as o on x.obligation_id = o.id
left join cases as c on o.id = c.obligation_id
left join tried as t on o.id = t.obligation_id
left join ended_cases as e on o.id = e.obligation_id
where
    o.state <> 'superseded'
    -- a debt in quarantine is in no mart
    and not exists (
        select 1 from quarantine as held
        where held.debt_id = o.id and held.state in ('quarantined', 'dropped')
    )
group by 1, 2, 3, 4;

-- name: moved_since
-- Purpose: debts the ledger has changed since a position, with the group they are in now (null
-- where they have no failure): a mart of that position cannot know these changes.
-- Parameters: position. Index: ix_obligations_row_version, ix_attempts_row_version,
-- ix_failures_row_version, ix_cases_row_version, ix_attempts_obligation_id.
with moved as (
    select id as obligation_id from obligations
    where row_version >= :position
    union
    select obligation_id from attempts
    where row_version >= :position
    union
    select obligation_id from failures
    where row_version >= :position
    union
    select obligation_id from cases
    where row_version >= :position
)

select
    o.id::text as obligation_id,
    o.org_id::text as org_id,
    (x.failed_at at time zone 'UTC')::date as day,
    o.psp,
    o.currency
from moved as m
inner join obligations as o on m.obligation_id = o.id
left join lateral (
    select min(coalesce(f.failed_at, a.finished_at, a.occurred_at, a.created_at)) as failed_at
    from attempts as a
    left join failures as f on a.id = f.attempt_id
    where
        a.obligation_id = o.id
        and a.state = 'failed'
) as x on true;

-- name: line_totals
-- Purpose: what settlement_daily must come to, counted from the settlement lines themselves, per
-- organisation, day (UTC) the balance moved, PSP and currency.
-- Parameters: none. Index: scans settlement_lines.
select
    s.org_id::text as org_id,
    (s.created_at at time zone 'UTC')::date as day,
    s.psp,
    s.currency,
    count(*) as lines,
    sum(s.gross_minor)::bigint as gross_minor,
    sum(s.fee_minor)::bigint as fee_minor,
    sum(s.tax_minor)::bigint as tax_minor,
    sum(s.net_minor)::bigint as net_minor,
    count(s.settled_at) as settled
from settlement_lines as s
group by 1, 2, 3, 4;

-- name: lines_moved
-- Purpose: groups of line_totals with a line that was written since a position, or that the
-- quarantine took out of its table: it leaves no tombstone, and the store may still have it.
-- Parameters: position. Index: ix_settlement_lines_row_version; scans the quarantine.
select
    s.org_id::text as org_id,
    (s.created_at at time zone 'UTC')::date as day,
    s.psp,
    s.currency
from settlement_lines as s
where s.row_version >= :position
union
select
    q.org_id::text as org_id,
    ((q.payload ->> 'created_at')::timestamptz at time zone 'UTC')::date as day,
    q.payload ->> 'psp' as psp,
    q.payload ->> 'currency' as currency
from quarantine as q
where
    q.source = 'listing'
    and q.frame = 'settlement_lines'
    and q.state in ('quarantined', 'dropped');

-- name: payout_totals
-- Purpose: what payouts_daily must come to, counted from the payouts themselves, per organisation,
-- day (UTC) they were made, PSP and currency. Parameters: none. Index: scans payouts.
select
    p.org_id::text as org_id,
    (p.created_at at time zone 'UTC')::date as day,
    p.psp,
    p.currency,
    count(*) as payouts,
    sum(p.amount_minor)::bigint as amount_minor,
    count(*) filter (where not p.itemised) as not_itemised
from payouts as p
group by 1, 2, 3, 4;

-- name: payouts_moved
-- Purpose: groups of payout_totals with a payout that was written since a position, or that the
-- quarantine took out of its table. Parameters: position.
-- Index: ix_payouts_row_version; scans the quarantine.
select
    p.org_id::text as org_id,
    (p.created_at at time zone 'UTC')::date as day,
    p.psp,
    p.currency
from payouts as p
where p.row_version >= :position
union
select
    q.org_id::text as org_id,
    ((q.payload ->> 'created_at')::timestamptz at time zone 'UTC')::date as day,
    q.payload ->> 'psp' as psp,
    q.payload ->> 'currency' as currency
from quarantine as q
where
    q.source = 'listing'
    and q.frame = 'payouts'
    and q.state in ('quarantined', 'dropped');
