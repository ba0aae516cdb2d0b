-- name: pending
-- Events that wait on :connection_ids, :limit rows: those not yet tried before those that had to wait
-- for their PSP, each oldest first. Index: ix_inbox_events_pending.
select e.id, e.connection_id, e.psp, e.event_id, e.psp_created_at, e.source, e.body, e.tries
from inbox_events as e
where e.processed_at is null and e.connection_id = any(cast(:connection_ids as uuid[]))
order by e.tries, e.id
limit :limit;

-- name: oldest_pending
-- What the sensor's run key is made of. Index: ix_inbox_events_pending.
select
    min(cast(e.id as text)) as oldest,
    count(*) as waiting
from (select id from inbox_events where processed_at is null order by id limit 1000) as e;

-- name: claim_pending
-- Take those of :ids that nobody else has taken. Index: pk_inbox_events.
select e.id
from inbox_events as e
where e.id = any(cast(:ids as uuid[])) and e.processed_at is null
for update skip locked;

-- name: keep_waiting
-- Tried, and not done: younger events go first the next time. Index: pk_inbox_events.
update inbox_events
set tries = tries + 1, error = :error
where id = any(cast(:ids as uuid[])) and processed_at is null;

-- name: mark_all
-- Index: pk_inbox_events.
update inbox_events
set processed_at = :now, outcome = done.outcome, error = done.error, tries = tries + 1
from
    unnest(cast(:ids as uuid[]), cast(:outcomes as text[]), cast(:errors as text[]))
        as done (id, outcome, error)
where inbox_events.id = done.id;

-- name: mentions
-- Rule 8: does an event that is not yet worked off speak of any of these objects?
-- Index: ix_inbox_events_object_ids.
select exists(
    select 1
    from inbox_events as e
    where
        e.processed_at is null
        and e.connection_id = :connection_id
        and e.object_ids && cast(:object_ids as text[])
) as mentioned;

-- name: standing
-- What the ledger already knows of some objects, to see whether the PSP must be asked for more.
-- Index: pk_psp_refs, pk_obligations, pk_attempts.
select
    r.object_id,
    o.has_mandate is not null and o.psp_retries is not null as told,
    o.due_minor, o.due_rank, o.psp_retries, a.refunded_minor,
    o.connection_id <> r.connection_id as elsewhere
from psp_refs as r
inner join obligations as o on r.obligation_id = o.id
left join attempts as a on r.attempt_id = a.id
where r.connection_id = :connection_id and r.object_id = any(cast(:object_ids as text[]));

-- name: ledger_knows
-- Which objects the ledger has, how the attempts among them stand, and their debts.
-- Index: pk_psp_refs, pk_attempts, pk_obligations.
select
    r.object_id, a.state, a.amount_minor, a.currency, a.refunded_minor, o.state as debt_state
from psp_refs as r
left join attempts as a on r.attempt_id = a.id
left join obligations as o on r.obligation_id = o.id
where r.connection_id = :connection_id and r.object_id = any(cast(:object_ids as text[]));

-- name: known_disputes
-- How disputes stand in the ledger. Index: uq_findings_dedupe_key.
select f.evidence ->> 'dispute' as dispute, f.evidence ->> 'status' as status
from findings as f
where f.dedupe_key = any(cast(:keys as text[]));

-- name: open_disputes
-- Debts over which a dispute is open at the connection that :keys begin with. Scans the few findings.
select distinct f.obligation_id
from findings as f
where f.kind = 'dispute' and f.state = 'open' and starts_with(f.dedupe_key, :keys)
order by f.obligation_id;
