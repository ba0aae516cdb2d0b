-- What was set aside and let back, and what the checks before a load read. The checks run as
-- tinko_worker; the quarantine is also read and decided by its tenant (tinko_app).

-- name: set_aside
-- Purpose: keep a row with the names of the checks that refused it; the same row again is the same
-- entry, held once more. Parameters: one row of the table, `reasons` an array, `payload` JSON.
-- Index: uq_quarantine_org_id_source_frame_key.
insert into quarantine as known (
    id, org_id, source, frame, key, debt_id, reasons, detail, payload, state, first_seen,
    last_seen, updated_at
)
values (
    :id, :org_id, :source, :frame, :key, :debt_id, cast(:reasons as text[]), :detail,
    cast(:payload as jsonb), 'quarantined', :now, :now, :now
)
on conflict (org_id, source, frame, key) do update
    set
        debt_id = excluded.debt_id,
        reasons = excluded.reasons,
        detail = excluded.detail,
        payload = excluded.payload,
        -- what a person gave up stays given up
        state = case when known.state = 'dropped' then known.state else excluded.state end,
        times = known.times + 1,
        last_seen = excluded.last_seen,
        updated_at = excluded.updated_at;

-- name: held
-- Purpose: entries, newest first, by state, source and reason where those are given.
-- Parameters: state, source, reason, before (an id), limit. Index: pk_quarantine.
select
    q.id, q.org_id, q.source, q.frame, q.key, q.debt_id, q.reasons, q.detail, q.payload, q.state,
    q.times, q.first_seen, q.last_seen, q.decided_at, q.decided_by
from quarantine as q
where
    (cast(:state as text) is null or q.state = :state)
    and (cast(:source as text) is null or q.source = :source)
    and (cast(:reason as text) is null or :reason = any(q.reasons))
    and (cast(:before as uuid) is null or q.id < :before)
order by q.id desc
limit :limit;

-- name: held_counts
-- Purpose: how many entries each check holds. Parameters: none. Index: scans the quarantine.
select q.state, q.source, q.frame, reason, count(*) as entries, min(q.first_seen) as oldest
from quarantine as q
cross join lateral unnest(q.reasons) as reason
group by q.state, q.source, q.frame, reason
order by q.state desc, q.source asc, q.frame asc, reason asc;

-- name: to_decide
-- Purpose: lock the entries that are still held, by id or all those with a reason.
-- Parameters: ids (array or null), reason (or null). Index: pk_quarantine, ix_quarantine_held.
select q.id, q.org_id, q.source, q.frame, q.key, q.debt_id, q.payload
from quarantine as q
where
    q.state = 'quarantined'
    and (cast(:ids as uuid[]) is null or q.id = any(cast(:ids as uuid[])))
    and (cast(:reason as text) is null or :reason = any(q.reasons))
order by q.id
for update;

-- name: decide
-- Purpose: what became of entries. Parameters: ids, state, by, now. Index: pk_quarantine.
update quarantine
set state = :state, decided_at = :now, decided_by = :by, updated_at = :now
where id = any(cast(:ids as uuid[])) and state = 'quarantined';

-- name: replay_event
-- Purpose: an event waits in the inbox again. Parameters: key. Index: pk_inbox_events.
update inbox_events
set processed_at = null, outcome = null, error = null
where id = cast(:key as uuid) and outcome = 'quarantined';

-- name: hide_debts
-- Purpose: hold all rows of some debts back from the analytics store, as if they were deleted; their
-- next version would bring them back, so it is said again while they are held.
-- Parameters: debt_ids. Index: pk_obligations, ix_attempts_obligation_id, ix_failures_obligation_id,
-- uq_cases_obligation_id.
with rows_of as (
    select 'obligations' as relation, o.id as key, o.org_id, o.row_version
    from obligations as o
    where o.id = any(cast(:debt_ids as uuid[]))
    union all
    select 'attempts' as relation, a.id as key, a.org_id, a.row_version
    from attempts as a
    where a.obligation_id = any(cast(:debt_ids as uuid[]))
    union all
    select 'failures' as relation, f.attempt_id as key, f.org_id, f.row_version
    from failures as f
    where f.obligation_id = any(cast(:debt_ids as uuid[]))
    union all
    select 'cases' as relation, c.id as key, c.org_id, c.row_version
    from cases as c
    where c.obligation_id = any(cast(:debt_ids as uuid[]))
)

insert into deleted_rows (relation, key, org_id, row_version)
select r.relation, r.key, r.org_id, pg_current_xact_id()::text::bigint
from rows_of as r
where
    not exists (
        select 1 from deleted_rows as d
        where d.relation = r.relation and d.key = r.key and d.row_version >= r.row_version
    )
on conflict (relation, key) do update set row_version = excluded.row_version;

-- name: show_debts
-- Purpose: write the rows of some debts anew, so that they are checked and carried again.
-- Parameters: debt_ids. Index: as of hide_debts.
with shown_attempts as (
    update attempts set updated_at = updated_at
    where obligation_id = any(cast(:debt_ids as uuid[]))
    returning 1
),

shown_failures as (
    update failures set created_at = created_at
    where obligation_id = any(cast(:debt_ids as uuid[]))
    returning 1
),

shown_cases as (
    update cases set updated_at = updated_at
    where obligation_id = any(cast(:debt_ids as uuid[]))
    returning 1
)

update obligations set updated_at = updated_at
where id = any(cast(:debt_ids as uuid[]));

-- name: hidden_debts
-- Purpose: debts that are held back, or given up. Parameters: none. Index: ix_quarantine_debt_id.
select distinct q.debt_id
from quarantine as q
where q.debt_id is not null and q.state in ('quarantined', 'dropped');

-- name: check_obligations
-- Purpose: a page of debts whose version lies in [low, high). Parameters: low, high, after_version,
-- after_key, size. Index: ix_obligations_row_version.
select
    o.row_version, o.id::text as id, o.org_id::text as org_id, o.id::text as debt_id, o.psp,
    o.state, o.currency, o.due_minor, o.paid_minor, o.refunded_minor, o.customer_ref,
    o.payer_email is not null as has_email, o.payer_country, o.payer_language, o.mandate_ref,
    o.has_mandate, o.created_at, o.updated_at, o.cycle_end
from obligations as o
where
    o.row_version >= :low
    and o.row_version < :high
    and (o.row_version, o.id) > (:after_version, cast(:after_key as uuid))
order by o.row_version, o.id
limit :size;

-- name: check_attempts
-- Purpose: a page of attempts whose version lies in [low, high). Parameters: as of
-- check_obligations. Index: ix_attempts_row_version.
select
    a.row_version, a.id::text as id, a.org_id::text as org_id, a.obligation_id::text as debt_id,
    a.psp, a.actor, a.state, a.method, a.network, a.currency, a.amount_minor, a.refunded_minor,
    a.psp_payment_id, a.idempotency_key, a.evidence is not null as has_evidence,
    coalesce(a.error ->> 'decline_code', a.error ->> 'code', a.error ->> 'reason') as error_code,
    a.occurred_at, a.scheduled_at, a.submitted_at, a.finished_at, a.created_at
from attempts as a
where
    a.row_version >= :low
    and a.row_version < :high
    and (a.row_version, a.id) > (:after_version, cast(:after_key as uuid))
order by a.row_version, a.id
limit :size;

-- name: check_failures
-- Purpose: a page of failures whose version lies in [low, high). Parameters: as of
-- check_obligations. Index: ix_failures_row_version.
select
    f.row_version, f.attempt_id::text as id, f.org_id::text as org_id,
    f.obligation_id::text as debt_id, f.psp, f.category, f.retry_advice, f.who_acts, f.hard,
    f.confidence, f.decided_by, f.code, f.reason, f.failed_at, f.created_at
from failures as f
where
    f.row_version >= :low
    and f.row_version < :high
    and (f.row_version, f.attempt_id) > (:after_version, cast(:after_key as uuid))
order by f.row_version, f.attempt_id
limit :size;

-- name: check_cases
-- Purpose: a page of cases whose version lies in [low, high), in the currency of their debts.
-- Parameters: as of check_obligations. Index: ix_cases_row_version, pk_obligations.
select
    c.row_version, c.id::text as id, c.org_id::text as org_id, c.obligation_id::text as debt_id,
    o.psp, c.state, c.recovered_by, c.recovered_minor, c.reversed_minor, o.currency,
    c.close_reason, c.opened_at, c.closed_at
from cases as c
inner join obligations as o on c.obligation_id = o.id
where
    c.row_version >= :low
    and c.row_version < :high
    and (c.row_version, c.id) > (:after_version, cast(:after_key as uuid))
order by c.row_version, c.id
limit :size;

-- name: mix_before
-- Purpose: how failures fell into categories over some days before those that are checked, the
-- baseline of their drift. Parameters: since (an id of that instant), low (the checked ones' first
-- version). Index: pk_failures.
select f.category, count(*) as failures
from failures as f
where f.attempt_id >= cast(:since as uuid) and f.row_version < :low
group by f.category;

-- name: check_psp_records
-- Purpose: a page of listed records whose version lies in [low, high). Parameters: as of
-- check_obligations. Index: ix_psp_records_row_version.
select
    r.row_version, r.connection_id::text || ' ' || r.object_id as id, r.org_id::text as org_id,
    r.psp, r.kind, r.status, r.currency, r.amount_minor, r.method, r.created_at, r.captured_at
from psp_records as r
where
    r.row_version >= :low
    and r.row_version < :high
    and (r.row_version, r.connection_id::text || ' ' || r.object_id) > (:after_version, :after_key)
order by r.row_version, id
limit :size;

-- name: check_settlement_lines
-- Purpose: a page of settlement lines whose version lies in [low, high). Parameters: as of
-- check_obligations. Index: ix_settlement_lines_row_version.
select
    s.row_version, s.connection_id::text || ' ' || s.line_id as id, s.org_id::text as org_id,
    s.psp, s.kind, s.source_id, s.payout_status, s.currency, s.gross_minor, s.fee_minor,
    s.created_at, s.settled_at
from settlement_lines as s
where
    s.row_version >= :low
    and s.row_version < :high
    and (s.row_version, s.connection_id::text || ' ' || s.line_id) > (:after_version, :after_key)
order by s.row_version, id
limit :size;

-- name: check_payouts
-- Purpose: a page of payouts whose version lies in [low, high). Parameters: as of
-- check_obligations. Index: ix_payouts_row_version.
select
    p.row_version, p.connection_id::text || ' ' || p.payout_id as id, p.org_id::text as org_id,
    p.psp, p.status, p.currency, p.amount_minor, p.utr, p.created_at
from payouts as p
where
    p.row_version >= :low
    and p.row_version < :high
    and (p.row_version, p.connection_id::text || ' ' || p.payout_id) > (:after_version, :after_key)
order by p.row_version, id
limit :size;

-- name: take_psp_records
-- Purpose: take listed records out of their table, whole. Parameters: connection_ids, keys.
-- Index: pk_psp_records.
delete from psp_records as r
using unnest(cast(:connection_ids as uuid[]), cast(:keys as text[])) as w (connection_id, key)
where r.connection_id = w.connection_id and r.object_id = w.key
returning r.connection_id::text || ' ' || r.object_id as id, to_jsonb(r) as payload;

-- name: take_settlement_lines
-- Purpose: take settlement lines out of their table, whole. Parameters: connection_ids, keys.
-- Index: pk_settlement_lines.
delete from settlement_lines as s
using unnest(cast(:connection_ids as uuid[]), cast(:keys as text[])) as w (connection_id, key)
where s.connection_id = w.connection_id and s.line_id = w.key
returning s.connection_id::text || ' ' || s.line_id as id, to_jsonb(s) as payload;

-- name: take_payouts
-- Purpose: take payouts out of their table, whole. Parameters: connection_ids, keys.
-- Index: pk_payouts.
delete from payouts as p
using unnest(cast(:connection_ids as uuid[]), cast(:keys as text[])) as w (connection_id, key)
where p.connection_id = w.connection_id and p.payout_id = w.key
returning p.connection_id::text || ' ' || p.payout_id as id, to_jsonb(p) as payload;

-- name: position
-- Purpose: how far a frame was checked, and how many of its transactions are final.
-- Parameters: frame. Index: pk_sink_watermarks.
select
    coalesce(
        (
            select w.position from sink_watermarks as w
            where w.sink = 'quality' and w.relation = :frame
        ), 0
    ) as low,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint as high;

-- name: advance
-- Purpose: remember how far a frame was checked; it never goes back.
-- Parameters: frame, position, rows, now. Index: pk_sink_watermarks.
insert into sink_watermarks as known (sink, relation, position, rows, updated_at)
values ('quality', :frame, :position, :rows, :now)
on conflict (sink, relation) do update
    set
        position = greatest(known.position, excluded.position),
        rows = known.rows + excluded.rows,
        updated_at = excluded.updated_at;

-- name: ledger_waits
-- Purpose: attempts that wait to be checked, counted no further than :most: they are the most rows
-- of the ledger. Parameters: most. Index: ix_attempts_row_version.
select count(*) as rows
from (
    select 1
    from attempts as a
    where
        a.row_version >= coalesce((
            select s.position from sink_watermarks as s
            where s.sink = 'quality' and s.relation = 'attempts'
        ), 0)
    order by a.row_version
    limit :most
) as waiting;

-- name: listings_wait
-- Purpose: listed records that wait to be checked, counted no further than :most: they are the most
-- rows that PSPs list. Parameters: most. Index: ix_psp_records_row_version.
select count(*) as rows
from (
    select 1
    from psp_records as r
    where
        r.row_version >= coalesce((
            select s.position from sink_watermarks as s
            where s.sink = 'quality' and s.relation = 'psp_records'
        ), 0)
    order by r.row_version
    limit :most
) as waiting;

-- name: rows_to_find
-- Purpose: how many rows the analytics store must hold of each organisation and relation, of those
-- made since an instant: `settled` for certain, `moving` more at most. Rows of hidden debts are not
-- to be found once their tombstones were carried; what was deleted may be found until then, and
-- listed rows that the quarantine took, which leave no tombstone, always.
-- Parameters: since (an id of that instant), made (the instant), positions (JSON, the sink's position
-- of each relation). Index: the primary keys, ix_quarantine_debt_id, pk_deleted_rows; scans
-- settlement_lines, payouts and the small relations.
with carried as (
    select p.key as relation, p.value::bigint as position
    from jsonb_each_text(cast(:positions as jsonb)) as p
),

hidden as (
    select distinct q.debt_id
    from quarantine as q
    where q.debt_id is not null and q.state in ('quarantined', 'dropped')
),

rows_of as (
    select 'obligations' as relation, o.org_id, o.id as key, o.id as debt_id, o.row_version
    from obligations as o
    where o.id >= cast(:since as uuid)
    union all
    select 'attempts' as relation, a.org_id, a.id as key, a.obligation_id as debt_id, a.row_version
    from attempts as a
    where a.id >= cast(:since as uuid)
    union all
    select
        'failures' as relation, f.org_id, f.attempt_id as key, f.obligation_id as debt_id,
        f.row_version
    from failures as f
    where f.attempt_id >= cast(:since as uuid)
    union all
    select 'cases' as relation, c.org_id, c.id as key, c.obligation_id as debt_id, c.row_version
    from cases as c
    where c.id >= cast(:since as uuid)
),

-- of these nothing is hidden
further as (
    select 'decisions' as relation, d.org_id, d.row_version
    from decisions as d
    where d.id >= cast(:since as uuid)
    union all
    select 'outbox' as relation, m.org_id, m.row_version
    from outbox as m
    where m.id >= cast(:since as uuid)
    union all
    select 'notification_deliveries' as relation, n.org_id, n.row_version
    from notification_deliveries as n
    where n.id >= cast(:since as uuid)
    union all
    select 'settlement_lines' as relation, s.org_id, s.row_version
    from settlement_lines as s
    where s.created_at >= :made
    union all
    select 'payouts' as relation, p.org_id, p.row_version
    from payouts as p
    where p.created_at >= :made
    union all
    select 'policy_versions' as relation, v.org_id, v.row_version
    from policy_versions as v
    union all
    select 'rule_versions' as relation, v.org_id, v.row_version
    from rule_versions as v
    union all
    select 'organisations' as relation, g.org_id, g.row_version
    from organisations as g
    union all
    select 'connections' as relation, x.org_id, x.row_version
    from connections as x
),

counts as (
    select
        r.relation,
        r.org_id,
        count(*) filter (where r.row_version < t.position and h.debt_id is null) as settled,
        count(*) filter (
            where
            (h.debt_id is null and r.row_version >= t.position)
            or (h.debt_id is not null and coalesce(d.row_version, t.position) >= t.position)
        ) as moving
    from rows_of as r
    inner join carried as t on r.relation = t.relation
    left join hidden as h on r.debt_id = h.debt_id
    left join deleted_rows as d
        on
            h.debt_id is not null
            and r.relation = d.relation
            and r.key = d.key
    group by r.relation, r.org_id
    union all
    select
        r.relation,
        r.org_id,
        count(*) filter (where r.row_version < t.position) as settled,
        count(*) filter (where r.row_version >= t.position) as moving
    from further as r
    inner join carried as t on r.relation = t.relation
    group by r.relation, r.org_id
    union all
    select d.relation, d.org_id, 0 as settled, count(*) as moving
    from deleted_rows as d
    inner join carried as t on d.relation = t.relation
    where d.row_version >= t.position and d.key >= cast(:since as uuid)
    group by d.relation, d.org_id
    union all
    select q.frame as relation, q.org_id, 0 as settled, count(*) as moving
    from quarantine as q
    where
        q.source = 'listing'
        and q.state in ('quarantined', 'dropped')
        and (q.payload ->> 'created_at')::timestamptz >= :made
    group by q.frame, q.org_id
)

select
    c.relation,
    c.org_id::text as org_id,
    sum(c.settled)::bigint as settled,
    sum(c.moving)::bigint as moving
from counts as c
group by c.relation, c.org_id;
