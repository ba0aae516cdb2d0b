-- name: due
-- Attempts of ours whose time has come, with their debts: whoever writes a debt locks it first and
-- its attempts after it, and one that is being written waits its turn. Index: ix_attempts_due.
select a.id, a.org_id, a.connection_id, a.obligation_id
from attempts as a
inner join obligations as o on a.obligation_id = o.id
where
    a.state = 'scheduled' and a.scheduled_at <= :now
    and o.state in ('open', 'partially_paid')
order by a.scheduled_at, a.id
limit :limit
for update of o, a skip locked;

-- name: lock_debt
-- Take the obligation's lock for a charge or for opening a door (rule 4). A door's lock whose
-- lease is over is taken over; a charge's never is: only its outcome frees it. Index: pk.
insert into charge_locks (obligation_id, org_id, purpose, attempt_id, token, lease_until_wall)
values (:obligation_id, :org_id, :purpose, :attempt_id, :token, :lease_until)
on conflict (obligation_id) do update
    set
        purpose = excluded.purpose, attempt_id = excluded.attempt_id, token = excluded.token,
        lease_until_wall = excluded.lease_until_wall
    where charge_locks.purpose = 'door' and charge_locks.lease_until_wall < :wall
returning obligation_id;

-- name: unlock_debt
-- By the token alone: a merge may have moved the lock. Scans a table as small as what is open.
delete from charge_locks
where token = :token;

-- name: claim
-- Index: pk_attempts.
update attempts
set state = 'claimed', lease_token = :token, lease_until_wall = :lease_until, updated_at = :now
where id = :id and state = 'scheduled'
returning id;

-- name: claimed
-- What a charge needs to know. Index: pk_attempts.
select
    a.id, a.org_id, a.connection_id, a.obligation_id, a.case_id, a.state, a.psp, a.door_id,
    a.amount_minor, a.currency, a.method, a.network, a.country, a.instrument_key,
    a.payment_method_ref, a.idempotency_key, a.lease_token, a.lease_until_wall, a.submitted_at,
    a.submitted_wall, a.empty_reads, a.last_read_wall,
    o.customer_ref, o.payer_email, o.payer_phone, o.description, o.due_minor
from attempts as a
inner join obligations as o on a.obligation_id = o.id
where a.id = :id;

-- name: hold
-- The row, locked, if the lease and the debt's lock are still ours: of two claims whose debts turn
-- out to be one, only that which kept the lock goes on. Index: pk_attempts, pk_charge_locks.
select a.id
from attempts as a
where
    a.id = :id and a.state = 'claimed' and a.lease_token = :token and a.lease_until_wall > :wall
    and exists (
        select 1 from charge_locks as k
        where k.obligation_id = a.obligation_id and k.token = :token
    )
for update of a;

-- name: hold_door
-- Whether the debt's lock is still ours to open a door under. Index: pk_charge_locks.
select k.obligation_id
from charge_locks as k
where k.obligation_id = :obligation_id and k.token = :token;

-- name: give_back
-- Nothing was sent: the attempt waits again, or is dropped. Index: pk_attempts.
update attempts
set
    state = :state, lease_token = null, lease_until_wall = null,
    scheduled_at = coalesce(cast(:again_at as timestamptz), scheduled_at),
    finished_at = case when :state = 'cancelled' then cast(:now as timestamptz) end,
    updated_at = :now
where id = :id and state = 'claimed' and lease_token = :token
returning obligation_id;

-- name: mint_key
-- One key for one attempt, for ever (rule 9). Index: pk_idempotency_keys.
insert into idempotency_keys (
    connection_id, key, org_id, attempt_id, obligation_id, minted_wall
)
values (:connection_id, :key, :org_id, :attempt_id, :obligation_id, :wall);

-- name: lock_instrument
-- Two claims that each see 9 of 10 would make 11 (rule 11).
select pg_advisory_xact_lock(hashtextextended('instrument:' || :instrument, 0));

-- name: submit
-- Fenced by the lease token: whoever lost the lease does not send. Index: pk_attempts.
update attempts
set
    state = 'submitted', idempotency_key = :key, submitted_at = :now, submitted_wall = :wall,
    guard_rows = cast(:guard_rows as jsonb), evidence = cast(:evidence as jsonb),
    amount_minor = :amount, door_id = :door_id, updated_at = :now
where
    id = :id and state = 'claimed' and lease_token = :token and lease_until_wall > :wall
returning id;

-- name: lock_debt_of
-- The debt of an attempt, locked: it comes before the attempt. Index: pk_attempts, pk_obligations.
select o.id
from obligations as o
inner join attempts as a on o.id = a.obligation_id
where a.id = :id
for update of o;

-- name: settle_state
-- Move an attempt of ours, guarded by the states that allow it. Index: pk_attempts.
update attempts
set
    state = :state,
    finished_at = case when :final then cast(:now as timestamptz) else finished_at end,
    error = coalesce(cast(:error as jsonb), error),
    updated_at = :now
where id = :id and state = any(cast(:sources as text[]))
returning obligation_id;

-- name: uncount
-- An attempt that never reached the network is not counted. Index: pk_guard_counters.
update guard_counters set state = :state
where attempt_id = :id;

-- name: unresolved
-- Ours whose lease is over: claimed ones go back, submitted and unknown ones are asked after.
-- Index: ix_attempts_unresolved.
select a.id, a.state, a.lease_token, a.obligation_id
from attempts as a
where
    a.state in ('claimed', 'submitted', 'unknown')
    and a.actor = 'tinko'
    and a.lease_until_wall < :wall
order by a.id
limit :limit;

-- name: pending_reads
-- Ours that the PSP accepted and that are not decided yet. Index: ix_attempts_unresolved.
select a.id, a.connection_id, a.obligation_id
from attempts as a
where
    a.state = 'pending' and a.actor = 'tinko'
    and a.updated_at < :before
order by a.updated_at, a.id
limit :limit;

-- name: empty_read
-- The PSP was asked and showed nothing. Index: pk_attempts.
update attempts
set empty_reads = empty_reads + 1, last_read_wall = :wall, updated_at = :now
where id = :id and state = 'unknown';

-- name: due_count
-- What the sensor rings for. Index: ix_attempts_due.
select
    count(*) as due,
    min(a.id::text) as oldest
from attempts as a
where a.state = 'scheduled' and a.scheduled_at <= :now;

-- name: unresolved_count
-- Index: ix_attempts_unresolved.
select
    count(*) as waiting,
    min(a.id::text) as oldest
from attempts as a
where
    a.state in ('claimed', 'submitted', 'unknown')
    and a.actor = 'tinko'
    and a.lease_until_wall < :wall;

-- name: postpone
-- Index: pk_attempts.
update attempts
set scheduled_at = :again_at, updated_at = :now
where id = :id and state = 'scheduled';
