-- name: refill
-- Token buckets as they stand at :now, locked; one that nobody has used yet is full. The house's is
-- asked for first and alone, so claims wait for each other there. Index: pk_call_budgets.
insert into call_budgets (key, tokens, refilled_at)
select k.key, :capacity, :now
from unnest(cast(:keys as text[])) as k (key)
order by k.key
on conflict (key) do update
    set
        tokens = least(
            excluded.tokens,
            call_budgets.tokens + :rate * greatest(
                0, extract(epoch from excluded.refilled_at - call_budgets.refilled_at)
            )
        ),
        refilled_at = greatest(call_budgets.refilled_at, excluded.refilled_at)
returning key, tokens;

-- name: spend
-- Index: pk_call_budgets.
update call_budgets
set tokens = tokens - s.spent
from unnest(cast(:keys as text[]), cast(:spent as int[])) as s (key, spent)
where call_budgets.key = s.key;

-- name: resting
-- Connections that get fewer than asked for: their breaker is open, or lets one through, or their
-- bucket is empty. Scans two tables as small as there are connections.
select
    h.connection_id,
    case when h.open_until_wall > :wall then 0 else 1 end as most
from connection_health as h
where h.open_until_wall is not null
union all
select
    cast(substr(b.key, length('connection:') + 1) as uuid) as connection_id,
    0 as most
from call_budgets as b
where
    b.key like 'connection:%'
    and b.tokens
    + :rate * greatest(0, extract(epoch from cast(:now as timestamptz) - b.refilled_at)) < 1;

-- name: due
-- Attempts of ours whose time has come, with their debts: whoever writes a debt locks it first and
-- its attempts after it, and one that is being written waits its turn. Index: ix_attempts_due.
select a.id, a.org_id, a.connection_id, a.obligation_id, a.instrument_key
from attempts as a
inner join obligations as o on a.obligation_id = o.id
where
    a.state = 'scheduled' and a.scheduled_at <= :now
    and a.connection_id <> all(cast(:shut as uuid[]))
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
-- Take the debts' locks, and claim the attempts whose debt was free: arrays, one debt once. The rows
-- are locked by `due` and the order of the locks is everybody's. Index: pk_charge_locks, pk_attempts.
with asked as (
    select t.id, t.org_id, t.obligation_id, t.token
    from
        unnest(
            cast(:ids as uuid[]), cast(:org_ids as uuid[]), cast(:obligation_ids as uuid[]),
            cast(:tokens as uuid[])
        ) as t (id, org_id, obligation_id, token)
),

locked as (
    insert into charge_locks (
        obligation_id, org_id, purpose, attempt_id, token, lease_until_wall
    )
    select q.obligation_id, q.org_id, 'charge', q.id, q.token, :lease_until
    from asked as q
    order by q.obligation_id
    on conflict (obligation_id) do update
        set
            purpose = excluded.purpose, attempt_id = excluded.attempt_id, token = excluded.token,
            lease_until_wall = excluded.lease_until_wall
        where charge_locks.purpose = 'door' and charge_locks.lease_until_wall < :wall
    returning attempt_id, token
)

update attempts
set
    state = 'claimed', lease_token = locked.token, lease_until_wall = :lease_until,
    updated_at = :now
from locked
where
    -- the months that are looked at, and by their key
    attempts.id = any(cast(:ids as uuid[]))
    and attempts.id = locked.attempt_id and attempts.state = 'scheduled'
returning attempts.id;

-- name: claimed
-- What a charge needs to know of some attempts, in the order of their ids. Where its merchant has no
-- fresh notice before a retry, the notice of an earlier try at the debt is this one's too. Indexes:
-- pk_attempts, ix_attempts_obligation_id, uq_cases_obligation_id, uq_doors_connection_id_object_id.
select
    a.id, a.org_id, a.connection_id, a.obligation_id, a.case_id, a.state, a.psp, a.door_id,
    a.amount_minor, a.currency, a.method, a.network, a.country, a.instrument_key,
    a.payment_method_ref, a.mandate_ref, a.idempotency_key, a.lease_token, a.lease_until_wall, a.submitted_at,
    a.submitted_wall, a.empty_reads, a.last_read_wall, a.notice_asked_at, a.notice_door,
    o.customer_ref, o.payer_email, o.payer_phone, o.description, o.due_minor,
    g.country as merchant_country, g.category as merchant_category,
    coalesce(g.fresh_notice, true) as fresh_notice,
    n.retry_owner, m.frequency as mandate_frequency, d.notice_failed_at,
    coalesce(
        d.notified_at,
        case
            when not g.fresh_notice and a.notice_door is null
                then (
                    select max(e.notified_at)
                    from attempts as w
                    inner join doors as e
                        on w.connection_id = e.connection_id and w.notice_door = e.object_id
                    where w.obligation_id = a.obligation_id
                )
        end
    ) as notice_delivered_at,
    (select c.state from cases as c where c.obligation_id = a.obligation_id) as case_state
from attempts as a
inner join obligations as o on a.obligation_id = o.id
left join organisations as g on a.org_id = g.org_id
left join connections as n on a.connection_id = n.id
left join doors as d on a.connection_id = d.connection_id and a.notice_door = d.object_id
left join mandates as m
    on a.payment_method_ref = m.object_id and a.connection_id = m.connection_id
where a.id = any(cast(:ids as uuid[]))
order by a.id;

-- name: mandate_of
-- Index: pk_obligations.
select o.mandate_ref, o.has_mandate from obligations as o
where o.id = :id;

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
-- Nothing was sent: attempts wait again, or are dropped where there is nothing to wait for: no
-- instant, a debt that is not to be charged, or a case that is closed. With them go their locks, by
-- the token alone (a merge may have moved them); a dropped one has its case decided anew. The debts
-- are locked. Indexes: pk_attempts, uq_cases_obligation_id.
with asked as (
    select
        t.id, t.token, t.again_at,
        t.again_at is not null
        and o.state in ('open', 'partially_paid')
        and coalesce(c.state = any(cast(:active as text[])), true) as goes_on
    from
        unnest(
            cast(:ids as uuid[]), cast(:tokens as uuid[]), cast(:again_at as timestamptz[])
        ) as t (id, token, again_at)
    inner join attempts as a on t.id = a.id
    inner join obligations as o on a.obligation_id = o.id
    left join cases as c on o.id = c.obligation_id
),

given as (
    update attempts
    set
        state = case when q.goes_on then 'scheduled' else 'cancelled' end,
        lease_token = null, lease_until_wall = null,
        scheduled_at = coalesce(q.again_at, attempts.scheduled_at),
        finished_at = case when not q.goes_on then cast(:now as timestamptz) end,
        updated_at = :now
    from asked as q
    where
        attempts.id = any(cast(:ids as uuid[]))
        and attempts.id = q.id and attempts.state = 'claimed' and attempts.lease_token = q.token
    returning attempts.id, attempts.obligation_id, q.token, q.goes_on
),

freed as (
    delete from charge_locks
    using given as g
    where charge_locks.token = g.token
),

woken as (
    update cases
    set decide_at = least(coalesce(decide_at, :now), :now), updated_at = :now
    from given as g
    where
        not g.goes_on
        and cases.obligation_id = g.obligation_id
        and cases.state in ('open', 'retrying', 'awaiting_payer')
)

select g.id
from given as g;

-- name: lock_instruments
-- Two claims that each see 9 of 10 would make 11 (rule 11): in one order for everybody.
select count(pg_advisory_xact_lock(keys.k))
from (
    select distinct hashtextextended('instrument:' || names.name, 0) as k
    from unnest(cast(:instruments as text[])) as names (name)
    order by k
) as keys;

-- name: submit
-- The commit before the send, of some attempts at once: one key for one attempt, for ever (rule 9),
-- what it was allowed on (the limits once for all that name them), and its place in the guards'
-- counters. Fenced by each lease: whoever lost it is not in the answer and does not send. Indexes:
-- primary keys of all four.
with asked as (
    select q.*
    from
        jsonb_to_recordset(cast(:asked as jsonb)) as q (
            id uuid, token uuid, key text, evidence jsonb, amount bigint, currency text,
            door_id text
        )
),

kept as (
    insert into guard_limits (digest, rows, created_at)
    select t.digest, t.rows, :now
    from unnest(cast(:digests as text[]), cast(:limits as text[])) as t (digest, rows)
    order by t.digest
    on conflict (digest) do nothing
),

submitted as (
    update attempts
    set
        state = 'submitted', idempotency_key = q.key, submitted_at = :now, submitted_wall = :wall,
        guard_rows = q.evidence #> '{verdict,rows}', evidence = q.evidence,
        amount_minor = q.amount, door_id = q.door_id, updated_at = :now
    from asked as q
    where
        attempts.id = any(cast(:ids as uuid[]))
        and attempts.id = q.id and attempts.state = 'claimed' and attempts.lease_token = q.token
        and attempts.lease_until_wall > :wall
    returning
        attempts.id, attempts.org_id, attempts.connection_id, attempts.obligation_id, attempts.psp,
        attempts.instrument_key, q.key, q.amount, q.currency
),

minted as (
    insert into idempotency_keys (
        connection_id, key, org_id, attempt_id, obligation_id, minted_wall
    )
    select s.connection_id, s.key, s.org_id, s.id, s.obligation_id, :wall
    from submitted as s
),

counted as (
    insert into guard_counters (
        attempt_id, org_id, psp, account_id, instrument_key, obligation_id, amount_minor, currency,
        initiator, state, counted_at
    )
    select
        s.id, s.org_id, s.psp, :account_id, s.instrument_key, s.obligation_id, s.amount,
        s.currency, 'merchant', 'submitted', :now
    from submitted as s
    on conflict (attempt_id) do update
        set state = excluded.state, instrument_key = excluded.instrument_key
)

select s.id
from submitted as s;

-- name: ask_notice
-- The commit before a pre-debit notice is asked for, fenced by the lease. Index: pk_attempts.
update attempts
set notice_asked_at = coalesce(notice_asked_at, :now), updated_at = :now
where
    id = :id and state = 'claimed' and lease_token = :token and lease_until_wall > :wall
    and notice_door is null
returning id;

-- name: keep_notice
-- The door that was made with the notice; under the lease that asked for it. Index: pk_attempts.
update attempts set notice_door = :door, updated_at = :now
where id = :id and state = 'claimed' and lease_token = :token;

-- name: lock_debts_of
-- The debts of some attempts, locked in one order: they come before the attempts.
-- Index: pk_attempts, pk_obligations.
select o.id
from obligations as o
inner join attempts as a on o.id = a.obligation_id
where a.id = any(cast(:ids as uuid[]))
order by o.id
for update of o;

-- name: settle
-- Move attempts of ours, each to its state, guarded by the states that allow it (:moves, by target),
-- with all that goes with it: the guards' counters (what never reached the network is not counted),
-- and where a target frees the debts' locks, and cases that are to be decided anew. Indexes:
-- pk_attempts, pk_guard_counters, pk_charge_locks, uq_cases_obligation_id.
with asked as (
    select
        t.id, m.state, m.sources, m.final, m.frees
    from unnest(cast(:ids as uuid[]), cast(:states as text[])) as t (id, state)
    inner join
        jsonb_to_recordset(cast(:moves as jsonb)) as m (
            state text, sources text[], final boolean, frees boolean
        )
        on t.state = m.state
),

moved as (
    update attempts
    set
        state = q.state,
        finished_at = case
            when q.final then cast(:now as timestamptz) else attempts.finished_at
        end,
        error = coalesce(cast(:error as jsonb), attempts.error),
        updated_at = :now
    from asked as q
    where
        attempts.id = any(cast(:ids as uuid[]))
        and attempts.id = q.id and attempts.state = any(q.sources)
    returning attempts.id, attempts.obligation_id, attempts.state, q.frees
),

counted as (
    update guard_counters set state = m.state
    from moved as m
    where guard_counters.attempt_id = m.id
),

freed as (
    delete from charge_locks
    using moved as m
    where
        m.frees
        and charge_locks.obligation_id = m.obligation_id and charge_locks.attempt_id = m.id
),

woken as (
    update cases
    set decide_at = least(coalesce(decide_at, :now), :now), updated_at = :now
    from moved as m
    where
        m.frees
        and cases.obligation_id = m.obligation_id
        and cases.state in ('open', 'retrying', 'awaiting_payer')
)

select m.id
from moved as m;

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
-- What the sensor rings for: not for connections whose breaker is open. Index: ix_attempts_due.
select
    count(*) as due,
    min(cast(a.id as text)) as oldest
from attempts as a
where
    a.state = 'scheduled' and a.scheduled_at <= :now
    and not exists (
        select 1 from connection_health as h
        where h.connection_id = a.connection_id and h.open_until_wall > :wall
    );

-- name: unresolved_count
-- Index: ix_attempts_unresolved.
select
    count(*) as waiting,
    min(cast(a.id as text)) as oldest
from attempts as a
where
    a.state in ('claimed', 'submitted', 'unknown')
    and a.actor = 'tinko'
    and a.lease_until_wall < :wall;

-- name: postpone
-- Index: pk_attempts.
update attempts
set scheduled_at = :again_at, updated_at = :now
where id = any(cast(:ids as uuid[])) and state = 'scheduled';

-- name: count_failure
-- One more call in a row without an answer. While the breaker is open only its probe counts: what
-- was under way when it opened says nothing new. Index: pk_connection_health.
insert into connection_health (connection_id, org_id, failures, updated_wall)
values (:connection_id, :org_id, 1, :wall)
on conflict (connection_id) do update
    set failures = connection_health.failures + 1, updated_wall = excluded.updated_wall
    where
    :probe
    or connection_health.open_until_wall is null
    or connection_health.open_until_wall <= excluded.updated_wall
returning failures;

-- name: open_breaker
-- Index: pk_connection_health.
update connection_health set open_until_wall = :until, updated_wall = :wall
where connection_id = any(cast(:connection_ids as uuid[]));

-- name: close_breaker
-- Index: pk_connection_health.
update connection_health set failures = 0, open_until_wall = null, updated_wall = :wall
where connection_id = :connection_id and failures > 0;

-- name: ours
-- Every attempt of ours; scanned (the chaos proof's judge).
select a.id, a.state, a.psp_payment_id, a.scheduled_at, a.obligation_id
from attempts as a
where a.actor = 'tinko'
order by a.id;

-- name: left_alone
-- Cases under way that nothing will wake: no instant, and no attempt of ours that may end; scanned.
select c.id, c.state
from cases as c
where
    c.state in ('open', 'retrying', 'awaiting_payer')
    and c.decide_at is null
    and not exists (
        select 1 from attempts as a
        where
            a.obligation_id = c.obligation_id and a.actor = 'tinko'
            and a.state in (
                'scheduled', 'claimed', 'submitted', 'unknown', 'pending', 'requires_action'
            )
    )
order by c.id;

-- name: orphaned_locks
-- Locks for a charge whose attempt is not open any more; scanned.
select k.obligation_id
from charge_locks as k
left join attempts as a on k.attempt_id = a.id
where
    k.purpose = 'charge'
    and coalesce(a.state not in ('claimed', 'submitted', 'unknown', 'pending'), true)
order by k.obligation_id;

-- name: late_successes
-- Attempts of ours that were failed before they succeeded; scanned.
select count(*) as late
from state_history as h
inner join attempts as a on h.entity_id = a.id
where
    h.entity = 'attempt' and h.from_state = 'failed' and h.to_state = 'succeeded'
    and a.actor = 'tinko';
