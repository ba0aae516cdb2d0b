-- Archival: what may leave, what is on its way, and what is gone. The reads run as tinko_worker,
-- the writes of `archives` as tinko_owner.

-- name: records
-- Every month that went to the archive or is on its way. Scans the few rows.
select
    a.relation, a.month, a.state, a.rows, a.bytes, a.manifest_key, a.manifest_sha256, a.actor,
    a.tool_version, a.started_wall, a.verified_wall, a.detached_wall, a.dropped_wall,
    a.restored_wall
from archives as a
order by a.month, a.relation;

-- name: begin
-- A month is being exported, for the first time or again. A verified or dropped one is not touched:
-- returns no row then. Index: pk_archives.
insert into archives (
    relation, month, state, low, high, actor, tool_version, started_wall
)
values (:relation, :month, 'exporting', :low, :high, :actor, :version, :wall)
on conflict (relation, month) do update
    set
        state = 'exporting', actor = excluded.actor, tool_version = excluded.tool_version,
        started_wall = excluded.started_wall, rows = null, bytes = null, manifest_key = null,
        manifest_sha256 = null, verified_wall = null, detached_wall = null, dropped_wall = null,
        restored_wall = null
    where archives.state in ('exporting', 'restored')
returning relation;

-- name: verified
-- What was read back is what Postgres holds. Index: pk_archives.
update archives
set
    state = 'verified', rows = :rows, bytes = :bytes, manifest_key = :manifest_key,
    manifest_sha256 = :manifest_sha256, verified_wall = :wall
where relation = :relation and month = :month and state = 'exporting'
returning relation;

-- name: detached
-- Index: pk_archives.
update archives
set state = 'detached', detached_wall = :wall
where relation = :relation and month = :month and state in ('verified', 'detached')
returning relation;

-- name: dropped
-- In the transaction that drops. Index: pk_archives.
update archives
set state = 'dropped', dropped_wall = :wall
where relation = :relation and month = :month and state = 'detached'
returning relation;

-- name: reopened
-- The partition has changed since it was exported: it is exported again. Index: pk_archives.
update archives
set
    state = 'exporting', manifest_key = null, manifest_sha256 = null, rows = null, bytes = null,
    verified_wall = null, detached_wall = null
where relation = :relation and month = :month and state in ('verified', 'detached')
returning relation;

-- name: discarded
-- Dropped without an archive, in the transaction that drops. Index: pk_archives.
insert into archives (
    relation, month, state, low, high, rows, actor, tool_version, started_wall, dropped_wall
)
values (
    :relation, :month, 'discarded', :low, :high, :rows, :actor, :version, :wall, :wall
)
on conflict (relation, month) do update
    set state = 'discarded', rows = excluded.rows, dropped_wall = excluded.dropped_wall
    where archives.state in ('exporting', 'restored')
returning relation;

-- name: restored
-- In the transaction that attaches. Index: pk_archives.
update archives
set state = 'restored', restored_wall = :wall
where relation = :relation and month = :month and state = 'dropped'
returning relation;

-- name: rows_held_attempts
-- Attempts of ids in [:low, :high) that are not finished, and those the sink has yet to carry to
-- one of its targets (:carrying). Index: pk_attempts.
select
    count(*) as rows,
    count(*) filter (where a.state = any(cast(:unfinished as text[]))) as unresolved,
    count(*) filter (where a.state = 'failed' and a.classified_at is null) as unclassified,
    count(*) filter (
        where
        a.row_version >= (
            select min(coalesce(w.position, 0))
            from unnest(cast(:carrying as text[])) as t (sink)
            left join sink_watermarks as w on t.sink = w.sink and w.relation = 'attempts'
        )
    ) as uncarried
from attempts as a
where a.id >= :low and a.id < :high;

-- name: rows_held_inbox_events
-- Events of ids in [:low, :high) that wait for us or for a person. Index: pk_inbox_events.
select
    count(*) as rows,
    count(*) filter (where e.processed_at is null) as unprocessed,
    count(*) filter (where e.outcome = 'quarantined') as quarantined
from inbox_events as e
where e.id >= :low and e.id < :high;

-- name: rows_held_notification_deliveries
-- Deliveries of ids in [:low, :high) whose message is not final, and those the sink has yet to
-- carry to one of its targets (:carrying).
-- Indexes: pk_notification_deliveries, pk_outbox.
select
    count(*) as rows,
    count(*) filter (where m.state in ('pending', 'sending')) as pending_message,
    count(*) filter (
        where
        n.row_version >= (
            select min(coalesce(w.position, 0))
            from unnest(cast(:carrying as text[])) as t (sink)
            left join sink_watermarks as w
                on t.sink = w.sink and w.relation = 'notification_deliveries'
        )
    ) as uncarried
from notification_deliveries as n
left join outbox as m on n.outbox_id = m.id
where n.id >= :low and n.id < :high;

-- name: debts_held
-- The debts that rows of :relation with ids in [:low, :high) speak of, and how many of them are
-- open, locked, in question or disputable: with a capture after :disputable_after, looked for in
-- ids from :disputable_low on. Indexes: pk_attempts, pk_inbox_events, pk_notification_deliveries,
-- pk_psp_refs, pk_obligations, uq_cases_obligation_id, pk_charge_locks.
with touched as materialized (
    select a.obligation_id
    from attempts as a
    where cast(:relation as text) = 'attempts' and a.id >= :low and a.id < :high
    union
    select r.obligation_id
    from inbox_events as e
    inner join psp_refs as r on e.connection_id = r.connection_id and r.object_id = any(e.object_ids)
    where cast(:relation as text) = 'inbox_events' and e.id >= :low and e.id < :high
    union
    select m.obligation_id
    from notification_deliveries as n
    inner join outbox as m on n.outbox_id = m.id
    where cast(:relation as text) = 'notification_deliveries' and n.id >= :low and n.id < :high
),

questioned as (
    select distinct f.obligation_id from findings as f where f.state = 'open'
),

captured as (
    select distinct a.obligation_id
    from attempts as a
    where
        a.id >= :disputable_low and a.state = 'succeeded'
        and coalesce(a.finished_at, a.occurred_at, a.created_at) > :disputable_after
)

select
    count(*) filter (where o.state = any(cast(:collectible as text[]))) as open_debt,
    count(*) filter (where c.state = any(cast(:open_cases as text[]))) as open_case,
    count(k.obligation_id) as locked,
    count(q.obligation_id) as open_finding,
    count(d.obligation_id) as disputable
from touched as t
left join obligations as o on t.obligation_id = o.id
left join cases as c on t.obligation_id = c.obligation_id
left join charge_locks as k on t.obligation_id = k.obligation_id
left join questioned as q on t.obligation_id = q.obligation_id
left join captured as d on t.obligation_id = d.obligation_id;

-- name: gone_month
-- The month in which a row of this id lies, where the month is gone. Index: pk_archives (few rows).
select a.month, a.state
from archives as a
where
    a.relation = :relation and a.low <= :id and :id < a.high
    and a.state in ('detached', 'dropped', 'discarded');

-- name: gone_attempts
-- Attempts of a debt that are in the archive: what its objects are tied to and is not here.
-- Indexes: ix_psp_refs_obligation_id, pk_attempts.
select distinct
    x.month,
    x.state
from psp_refs as r
inner join archives as x
    on
        x.relation = 'attempts' and r.attempt_id >= x.low and r.attempt_id < x.high
        and x.state in ('detached', 'dropped', 'discarded')
where
    r.obligation_id = :obligation_id
    and not exists (select 1 from attempts as a where a.id = r.attempt_id)
order by x.month;
