-- name: lock_refs
-- One writer at a time for each debt: locks the given PSP object ids until the transaction ends,
-- in one order for everybody. :connection_id, :object_ids text[].
select count(pg_advisory_xact_lock(keys.k))
from (
    select distinct hashtextextended(:connection_id || ids.object_id, 0) as k
    from unnest(cast(:object_ids as text[])) as ids (object_id)
    order by k
) as keys;

-- name: known_refs
-- Which obligation each of the given objects stands for. Index: pk_psp_refs.
select r.object_id, r.kind, r.obligation_id, r.attempt_id
from psp_refs as r
where r.connection_id = :connection_id and r.object_id = any(cast(:object_ids as text[]));

-- name: refs_of
-- Every PSP object of one obligation, each with the connection it is at: a payer may have chosen
-- another PSP (rule 7). Index: ix_psp_refs_obligation_id.
select r.connection_id, r.object_id, r.kind
from psp_refs as r
where r.obligation_id = :obligation_id
order by r.connection_id, r.kind, r.object_id;

-- name: add_refs
-- Tie objects to an obligation; one already tied stays where it is. Index: pk_psp_refs.
insert into psp_refs (connection_id, object_id, org_id, kind, obligation_id)
select :connection_id, new.object_id, :org_id, new.kind, :obligation_id
from unnest(cast(:object_ids as text[]), cast(:kinds as text[])) as new (object_id, kind)
on conflict (connection_id, object_id) do nothing;

-- name: tie_attempt
-- Say which attempt a charge or payment is. Index: pk_psp_refs.
insert into psp_refs (connection_id, object_id, org_id, kind, obligation_id, attempt_id)
values (:connection_id, :object_id, :org_id, 'payment', :obligation_id, :attempt_id)
on conflict (connection_id, object_id) do update set attempt_id = excluded.attempt_id;

-- name: create_obligation
insert into obligations (
    id, org_id, connection_id, psp, state, due_minor, due_rank, currency, created_at, updated_at
)
values (
    :id, :org_id, :connection_id, :psp, 'open', :due, :due_rank, :currency, :created_at, :now
);

-- name: lock_obligation
-- The obligation, locked against every other writer. Index: pk_obligations.
select
    o.id, o.org_id, o.connection_id, o.psp, o.state, o.due_minor, o.due_rank, o.paid_minor,
    o.refunded_minor,
    o.currency,
    o.customer_ref,
    o.payer_name,
    o.payer_email,
    o.payer_phone,
    o.payer_language, o.payer_country, o.customer_tags,
    o.psp_retries, o.has_mandate, o.mandate_ref, o.subscription_ref, o.stopped_by, o.cycle_end,
    o.description, o.created_at
from obligations as o
where o.id = :id
for update;

-- name: lock_obligations
-- Obligations, locked against every other writer in one order. Index: pk_obligations.
select
    o.id, o.org_id, o.connection_id, o.psp, o.state, o.due_minor, o.due_rank, o.paid_minor,
    o.refunded_minor,
    o.currency,
    o.customer_ref,
    o.payer_name,
    o.payer_email,
    o.payer_phone,
    o.payer_language, o.payer_country, o.customer_tags,
    o.psp_retries, o.has_mandate, o.mandate_ref, o.subscription_ref, o.stopped_by, o.cycle_end,
    o.description, o.created_at
from obligations as o
where o.id = any(cast(:ids as uuid[]))
order by o.id
for update;

-- name: describe_obligation
-- What the PSP says of the debt; what it does not say stays as it was. Index: pk_obligations.
update obligations
set
    due_minor = coalesce(:due_minor, due_minor),
    due_rank = least(due_rank, :due_rank),
    currency = coalesce(:currency, currency),
    description = coalesce(:description, description),
    customer_ref = coalesce(:customer_ref, customer_ref),
    payer_name = coalesce(:payer_name, payer_name),
    payer_email = coalesce(:payer_email, payer_email),
    payer_phone = coalesce(:payer_phone, payer_phone),
    payer_language = coalesce(:payer_language, payer_language),
    payer_country = coalesce(:payer_country, payer_country),
    customer_tags = coalesce(cast(:customer_tags as text[]), customer_tags),
    psp_retries = coalesce(:psp_retries, psp_retries),
    has_mandate = coalesce(:has_mandate, has_mandate),
    mandate_ref = coalesce(:mandate_ref, mandate_ref),
    subscription_ref = coalesce(subscription_ref, :subscription_ref),
    stopped_by = (
        select s.standing
        from subscriptions as s
        where
            s.connection_id = obligations.connection_id
            and s.object_id = coalesce(obligations.subscription_ref, :subscription_ref)
            and s.standing <> 'live'
    ),
    cycle_end = coalesce(:cycle_end, cycle_end),
    created_at = least(created_at, coalesce(:created_at, created_at)),
    updated_at = :now
where id = :id
returning
    id, org_id, connection_id, psp, state, due_minor, due_rank, paid_minor, refunded_minor,
    currency, customer_ref, payer_name, payer_email, payer_phone, payer_language,
    payer_country, customer_tags, psp_retries, has_mandate, mandate_ref, subscription_ref,
    stopped_by, cycle_end, description, created_at;

-- name: homes_of
-- The connection each of some debts is at home at. Index: pk_obligations.
select o.id, o.connection_id
from obligations as o
where o.id = any(cast(:ids as uuid[]));

-- name: successor
-- The debt that another was merged into. Index: pk_obligations.
select o.superseded_by
from obligations as o
where o.id = :id and o.state = 'superseded';

-- name: move_to_keeper
-- Rule 1, a late discovery: all that hung on one obligation hangs on the other.
-- Indexes: those on obligation_id of each table.
with refs as (
    update psp_refs set obligation_id = :keeper where obligation_id = :folded
),

moved_doors as (
    update doors set obligation_id = :keeper where obligation_id = :folded
),

moved_failures as (
    update failures set obligation_id = :keeper where obligation_id = :folded
),

moved_keys as (
    update idempotency_keys set obligation_id = :keeper where obligation_id = :folded
),

moved_counters as (
    update guard_counters set obligation_id = :keeper where obligation_id = :folded
),

moved_outbox as (
    update outbox set state = 'cancelled', updated_at = :now
    where obligation_id = :folded and state = 'pending'
)

update attempts set obligation_id = :keeper, updated_at = :now where obligation_id = :folded;

-- name: halt_attempts
-- Ours that stand before or at the call: not yet sent ones are dropped, whoever holds their lease
-- does not send; a sent one's outcome is awaited. Index: ix_attempts_obligation_id.
update attempts
set
    state = case when state = 'submitted' then 'unknown' else 'cancelled' end,
    finished_at = case when state = 'submitted' then finished_at else :now end,
    updated_at = :now
where obligation_id = :obligation_id and actor = 'tinko' and state in ('claimed', 'submitted');

-- name: inherit
-- What only the folded debt was told of, the keeper is now: its due where a stronger object named
-- it, what was paid outside of any attempt, who owes it. Index: pk_obligations.
update obligations
set
    due_minor = case when f.due_rank < obligations.due_rank then f.due_minor else obligations.due_minor end,
    due_rank = least(obligations.due_rank, f.due_rank),
    paid_minor = greatest(obligations.paid_minor, f.paid_minor),
    customer_ref = coalesce(obligations.customer_ref, f.customer_ref),
    payer_name = coalesce(obligations.payer_name, f.payer_name),
    payer_email = coalesce(obligations.payer_email, f.payer_email),
    payer_phone = coalesce(obligations.payer_phone, f.payer_phone),
    payer_language = coalesce(obligations.payer_language, f.payer_language),
    payer_country = coalesce(obligations.payer_country, f.payer_country),
    customer_tags = case
        when obligations.customer_tags = '{}' then f.customer_tags else obligations.customer_tags
    end,
    description = coalesce(obligations.description, f.description),
    psp_retries = coalesce(obligations.psp_retries, f.psp_retries),
    has_mandate = coalesce(obligations.has_mandate, f.has_mandate),
    mandate_ref = coalesce(obligations.mandate_ref, f.mandate_ref),
    subscription_ref = coalesce(obligations.subscription_ref, f.subscription_ref),
    stopped_by = coalesce(obligations.stopped_by, f.stopped_by),
    cycle_end = coalesce(obligations.cycle_end, f.cycle_end),
    created_at = least(obligations.created_at, f.created_at),
    updated_at = :now
from obligations as f
where
    obligations.id = :keeper and f.id = :folded
    -- what another PSP calls its customer, its mandate or its due is nothing to this one
    and obligations.connection_id = f.connection_id;

-- name: cases_of
-- The cases of two debts, locked in one order. Index: uq_cases_obligation_id.
select c.id, c.obligation_id, c.state
from cases as c
where c.obligation_id in (:keeper, :folded)
order by c.id
for update;

-- name: repoint_case
-- What hung on the case that goes hangs on the one that stays. Indexes: ix_failures_obligation_id,
-- ix_attempts_obligation_id, ix_outbox_case_id, pk_cases.
with moved_failures as (
    update failures set case_id = :stays
    where case_id = :goes and obligation_id in (:keeper, :folded)
),

moved_attempts as (
    update attempts set case_id = :stays, updated_at = :now
    where case_id = :goes and obligation_id in (:keeper, :folded)
),

moved_outbox as (
    update outbox set case_id = :stays, updated_at = :now where case_id = :goes
)

update cases
set
    asked_at = coalesce(greatest(cases.asked_at, g.asked_at), cases.asked_at),
    opened_at = least(cases.opened_at, g.opened_at),
    updated_at = :now
from cases as g
where cases.id = :stays and g.id = :goes;

-- name: release_case
-- The failures of a case that goes are to open one anew. Indexes: ix_failures_obligation_id,
-- ix_attempts_obligation_id.
with released as (
    update attempts set case_id = null, updated_at = :now
    where case_id = :goes and obligation_id in (:keeper, :folded)
)

update failures set case_id = null
where case_id = :goes and obligation_id in (:keeper, :folded);

-- name: drop_case
-- Index: pk_cases.
delete from cases
where id = :goes;

-- name: take_case
-- The case that stays is the keeper's, and is looked at again. Index: pk_cases.
update cases
set
    obligation_id = :keeper,
    connection_id = (select o.connection_id from obligations as o where o.id = :keeper),
    decide_at = case
        when state in ('open', 'retrying', 'awaiting_payer')
            then least(coalesce(decide_at, :now), :now)
        else decide_at
    end,
    updated_at = :now
where id = :stays;

-- name: drop_weaker_lock
-- The lock of a try that may have moved money is worth more than one under which nothing was sent
-- yet: the keeper's goes where only the folded debt has such a one. Index: pk_charge_locks.
delete from charge_locks as k
where
    k.obligation_id = :keeper
    and exists (
        select 1
        from charge_locks as f
        inner join attempts as a on f.attempt_id = a.id
        where
            f.obligation_id = :folded
            and a.state in ('submitted', 'unknown', 'pending', 'requires_action')
    )
    and not exists (
        select 1
        from attempts as a
        where
            a.id = k.attempt_id
            and a.state in ('submitted', 'unknown', 'pending', 'requires_action')
    );

-- name: drop_lockless
-- Of two claims the one whose lock went is not sent any more. Index: ix_attempts_obligation_id.
update attempts
set state = 'cancelled', finished_at = :now, updated_at = :now
where
    obligation_id = :keeper and actor = 'tinko' and state = 'claimed'
    and not exists (
        select 1 from charge_locks as k
        where k.obligation_id = :keeper and k.attempt_id = attempts.id
    );

-- name: drop_folded_findings
-- The keeper's recount finds them anew; a dispute goes with its payment. Scans the few findings.
with moved as (
    update findings set obligation_id = :keeper, updated_at = :now
    where obligation_id = :folded and kind = 'dispute'
)

delete from findings
where obligation_id = :folded and kind = 'double_collected';

-- name: keep_one_lock
-- Of two locks the keeper's own stays; without one the folded's is taken over. Index: pk.
update charge_locks set obligation_id = :keeper
where
    obligation_id = :folded
    and not exists (select 1 from charge_locks as k where k.obligation_id = :keeper);

-- name: drop_folded_lock
delete from charge_locks
where obligation_id = :folded;

-- name: set_obligation_state
-- Guarded: moves only out of the states that allow it. Index: pk_obligations.
update obligations
set state = :state, superseded_by = coalesce(:superseded_by, superseded_by), updated_at = :now
where id = :id and state = any(cast(:sources as text[]))
returning id;

-- name: upsert_doors
-- Doors as far as they have got: a paid one stays paid, a closed one does not open again, and one
-- seen the same again is left alone.
-- Index: uq_doors_connection_id_object_id.
insert into doors (
    id, org_id, connection_id, obligation_id, kind, object_id, status, url, opened_by,
    created_at, updated_at
)
select
    new.id, :org_id, :connection_id, :obligation_id, new.kind, new.object_id, new.status, new.url,
    :opened_by, :now, :now
from
    unnest(
        cast(:ids as uuid[]), cast(:kinds as text[]), cast(:object_ids as text[]),
        cast(:statuses as text[]), cast(:urls as text[])
    ) as new (id, kind, object_id, status, url)
on conflict (connection_id, object_id) do update
    set
        status = case
            when 'paid' in (doors.status, excluded.status) then 'paid'
            when 'closed' in (doors.status, excluded.status) then 'closed'
            else excluded.status
        end,
        url = coalesce(excluded.url, doors.url),
        updated_at = excluded.updated_at
    where
    (doors.status <> excluded.status and doors.status <> 'paid' and excluded.status <> 'open')
    or coalesce(excluded.url, doors.url) is distinct from doors.url;

-- name: doors_of
-- A debt's doors at one connection. Index: ix_doors_obligation_id.
select d.kind, d.object_id, d.status, d.url, d.opened_by, d.notified_at
from doors as d
where d.obligation_id = :obligation_id and d.connection_id = :connection_id
order by d.created_at, d.object_id;

-- name: mark_notice
-- The pre-debit notice of this order reached the payer. Index: uq_doors_connection_id_object_id.
update doors set notified_at = coalesce(notified_at, :now), updated_at = :now
where connection_id = :connection_id and object_id = :object_id;

-- name: fail_notice
-- It did not: the attempt that waits for it need not wait any longer. The debt is locked.
-- Indexes: uq_doors_connection_id_object_id, ix_attempts_obligation_id.
with failed as (
    update doors set notice_failed_at = coalesce(notice_failed_at, :now), updated_at = :now
    where connection_id = :connection_id and object_id = :object_id and notified_at is null
    returning obligation_id, object_id
)

update attempts
set scheduled_at = least(attempts.scheduled_at, :now), updated_at = :now
from failed as f
where
    attempts.obligation_id = f.obligation_id
    and attempts.notice_door = f.object_id
    and attempts.state = 'scheduled';

-- name: attempts_of
-- All tries at one obligation, by anyone. Index: ix_attempts_obligation_id.
select
    a.id, a.actor, a.state, a.psp_payment_id, a.door_id, a.amount_minor, a.currency, a.method,
    a.network, a.country, a.instrument_key, a.payment_method_ref, a.idempotency_key,
    a.payer_present, a.refunded_minor, a.disputed, a.occurred_at, a.scheduled_at, a.submitted_at,
    a.submitted_wall, a.created_at, a.error is null as unexplained
from attempts as a
where a.obligation_id = :obligation_id
order by coalesce(a.occurred_at, a.scheduled_at, a.created_at), a.psp_payment_id, a.id;

-- name: attempt_by_key
-- Ours by the idempotency key of its call, given first, or by our mark. Index: pk_idempotency_keys.
select k.attempt_id
from idempotency_keys as k
where k.connection_id = :connection_id and k.key = any(cast(:keys as text[]))
order by array_position(cast(:keys as text[]), k.key)
limit 1;

-- name: debts_by_key
-- The debts that calls of ours were made for. Index: pk_idempotency_keys.
select distinct k.obligation_id
from idempotency_keys as k
where k.connection_id = :connection_id and k.key = any(cast(:keys as text[]))
order by k.obligation_id;

-- name: insert_seen_attempt
insert into attempts (
    id, org_id, connection_id, psp, obligation_id, actor, state, psp_payment_id, door_id,
    amount_minor, currency, method, network, country, instrument_key, payment_method_ref,
    payer_present, refunded_minor, error, occurred_at, finished_at, created_at, updated_at
)
values (
    :id, :org_id, :connection_id, :psp, :obligation_id, :actor, :state, :psp_payment_id, :door_id,
    :amount, :currency, :method, :network, :country, :instrument_key, :payment_method_ref,
    :payer_present, coalesce(:refunded, 0), cast(:error as jsonb), :occurred_at, :finished_at,
    :now, :now
);

-- name: update_seen_attempt
-- The attempt as the PSP now shows it. The state moves only where :state is reachable from the
-- present one, so late and repeated news change nothing. What was captured says over how much: less
-- than was authorised, where the merchant took less. Index: pk_attempts.
update attempts
set
    amount_minor = case
        when
            :state = 'succeeded'
            and (state = 'succeeded' or state = any(cast(:sources as text[])))
            and currency = :currency
            then cast(:amount as bigint)
        else amount_minor
    end,
    state = case when state = any(cast(:sources as text[])) then :state else state end,
    -- a payment read afterwards does not say when it ended: one that we saw pending ended no
    -- earlier than when it began, and no later than now
    finished_at = case
        when state <> all(cast(:sources as text[])) then finished_at
        when state = 'pending' and cast(:finished_at as timestamptz) <= occurred_at
            then cast(:now as timestamptz)
        else cast(:finished_at as timestamptz)
    end,
    error = case
        when state = any(cast(:sources as text[])) or error is null
            then coalesce(cast(:error as jsonb), error)
        else error
    end,
    psp_payment_id = coalesce(psp_payment_id, :psp_payment_id),
    door_id = coalesce(door_id, :door_id),
    method = case when method = 'unknown' then :method else method end,
    network = coalesce(network, :network),
    country = coalesce(country, :country),
    instrument_key = coalesce(instrument_key, :instrument_key),
    payment_method_ref = coalesce(payment_method_ref, :payment_method_ref),
    payer_present = payer_present or :payer_present,
    refunded_minor = coalesce(:refunded, refunded_minor),
    occurred_at = coalesce(occurred_at, :occurred_at),
    updated_at = :now
where id = :id;

-- name: rank_psp_attempts
-- Where the PSP collects again itself, the first unattended try is the merchant's and the later
-- ones are the PSP's. Index: ix_attempts_obligation_id.
with ranked as (
    select
        a.id,
        case
            when row_number() over (order by a.occurred_at, a.psp_payment_id) = 1 then 'merchant'
            else 'psp'
        end as actor
    from attempts as a
    where a.obligation_id = :obligation_id and a.actor in ('merchant', 'psp')
)

update attempts set actor = ranked.actor, updated_at = :now
from ranked
where attempts.id = ranked.id and attempts.actor <> ranked.actor;

-- name: record_paid
-- Index: pk_obligations.
update obligations
set paid_minor = :paid, refunded_minor = :refunded, updated_at = :now
where id = :id and (paid_minor <> :paid or refunded_minor <> :refunded);

-- name: cancel_scheduled
-- Nothing that was planned happens any more. Index: ix_attempts_obligation_id.
update attempts
set state = 'cancelled', finished_at = :now, updated_at = :now
where obligation_id = :obligation_id and state = 'scheduled';

-- name: cancel_messages
-- No message after the money has come. Index: ix_outbox_pending.
update outbox set state = 'cancelled', updated_at = :now
where obligation_id = :obligation_id and state = 'pending';

-- name: free_lock
-- The lock goes with the outcome of the attempt that held it. Index: pk_charge_locks.
delete from charge_locks
where obligation_id = :obligation_id and attempt_id = :attempt_id;

-- name: case_of
-- Index: uq_cases_obligation_id.
select c.id, c.state
from cases as c
where c.obligation_id = :obligation_id
for update;

-- name: move_case
-- One step of a case, out of the state it was read in. Index: pk_cases.
update cases
set
    state = :state, close_reason = :reason, decide_at = null,
    closed_at = case when :closes then cast(:now as timestamptz) else closed_at end,
    updated_at = :now
where id = :id and state = :current
returning id;

-- name: case_money
-- Who brought the money back, how much, and how much of it is gone again. Index: pk_cases.
update cases
set
    recovered_by = coalesce(:by, recovered_by), recovered_minor = :recovered,
    reversed_minor = :reversed, updated_at = :now
where
    id = :id
    and (
        recovered_by is distinct from coalesce(:by, recovered_by)
        or (recovered_minor, reversed_minor) <> (:recovered, :reversed)
    );

-- name: before_the_dispute
-- Where a case stood when it was first disputed last. Index: ix_state_history_entity_id.
select h.from_state
from state_history as h
where h.entity = 'case' and h.entity_id = :id and h.to_state = 'disputed'
order by h.seq desc
limit 1;

-- name: record_dispute
-- A dispute as far as it has got, in the order of :stages: what ended does not open again.
-- Index: uq_findings_dedupe_key.
insert into findings (
    id, org_id, obligation_id, kind, severity, state, dedupe_key, evidence, proposal, created_at,
    updated_at
)
values (
    :id, :org_id, :obligation_id, 'dispute', 'warning', :state, :dedupe_key,
    cast(:evidence as jsonb), '{}', :now, :now
)
on conflict (dedupe_key) do update
    set evidence = excluded.evidence, state = excluded.state, updated_at = excluded.updated_at
    where
    array_position(cast(:stages as text[]), findings.evidence ->> 'status')
    < array_position(cast(:stages as text[]), excluded.evidence ->> 'status')
returning id;

-- name: disputes_of
-- Asked only for debts with a disputed payment: scans the few findings.
select f.evidence
from findings as f
where f.obligation_id = :obligation_id and f.kind = 'dispute'
order by f.dedupe_key;

-- name: mark_disputed
-- Of some payments, those in :over have a dispute that is open or lost.
-- Index: ix_attempts_obligation_id.
update attempts
set disputed = psp_payment_id = any(cast(:over as text[])), updated_at = :now
where
    obligation_id = :obligation_id
    and psp_payment_id = any(cast(:payments as text[]))
    and disputed <> (psp_payment_id = any(cast(:over as text[])));

-- name: wake_case
-- Let decide() look at the case again. Index: uq_cases_obligation_id.
update cases
set decide_at = least(coalesce(decide_at, :now), :now), updated_at = :now
where obligation_id = :obligation_id and state in ('open', 'retrying', 'awaiting_payer');

-- name: lose_mandate
-- Index: ix_obligations_mandate_ref.
update obligations set has_mandate = false, updated_at = :now
where
    connection_id = :connection_id and mandate_ref = :mandate_ref and has_mandate is not false
    and state in ('open', 'partially_paid')
returning id;

-- name: restore_mandate
-- Index: ix_obligations_mandate_ref.
update obligations set has_mandate = true, updated_at = :now
where
    connection_id = :connection_id and mandate_ref = :mandate_ref and has_mandate is false
    and state in ('open', 'partially_paid')
returning id;

-- name: hear_of_subscription
-- How a subscription stands, whichever news of it come first: cancelled is for ever, else the latest
-- counts, and of two of one second the one that stops. Index: pk_subscriptions.
insert into subscriptions (connection_id, object_id, org_id, standing, stood_at, updated_at)
values (:connection_id, :object_id, :org_id, :standing, :stood_at, :now)
on conflict (connection_id, object_id) do update
    set
        standing = excluded.standing, stood_at = excluded.stood_at,
        updated_at = excluded.updated_at
    where
    (excluded.standing = 'cancelled', excluded.stood_at, excluded.standing = 'paused')
    > (subscriptions.standing = 'cancelled', subscriptions.stood_at, subscriptions.standing = 'paused');

-- name: hear_of_mandate
-- How often a mandate may be debited: it is registered with that and keeps it. Index: pk_mandates.
insert into mandates (object_id, connection_id, org_id, frequency, updated_at)
values (:object_id, :connection_id, :org_id, :frequency, :now)
on conflict (object_id, connection_id) do update
    set frequency = excluded.frequency, updated_at = excluded.updated_at
    where mandates.frequency <> excluded.frequency;

-- name: made_by
-- A subscription names the last invoice it made. Indexes: pk_psp_refs, pk_obligations.
update obligations set subscription_ref = :object_id, updated_at = :now
from psp_refs as r
where
    r.connection_id = :connection_id and r.object_id = :invoice
    and obligations.id = r.obligation_id and obligations.connection_id = r.connection_id
    and obligations.subscription_ref is distinct from :object_id;

-- name: stop_or_free
-- Every debt of a subscription on which another standing of it is written, in one order for all.
-- Indexes: pk_subscriptions, ix_obligations_subscription_ref.
with stands as (
    select o.id, case when s.standing <> 'live' then s.standing end as stopped_by
    from obligations as o
    inner join subscriptions as s
        on o.connection_id = s.connection_id and o.subscription_ref = s.object_id
    where s.connection_id = :connection_id and s.object_id = :object_id
    order by o.id
    for update of o
)

update obligations
set stopped_by = s.stopped_by, updated_at = :now
from stands as s
where obligations.id = s.id and obligations.stopped_by is distinct from s.stopped_by
returning obligations.id, obligations.stopped_by;

-- name: count_attempt
-- Guard counters see everyone's attempts, and what the network said of them as soon as the ledger
-- does. Index: pk_guard_counters.
insert into guard_counters (
    attempt_id, org_id, psp, account_id, instrument_key, obligation_id, amount_minor, currency,
    initiator, state, counted_at, network_decline_code, network_advice_code
)
values (
    :attempt_id, :org_id, :psp, :account_id, :instrument_key, :obligation_id, :amount, :currency,
    :initiator, :state, :counted_at, :network_decline_code, :network_advice_code
)
on conflict (attempt_id) do update
    set
        state = excluded.state, instrument_key = excluded.instrument_key,
        network_decline_code = coalesce(
            excluded.network_decline_code, guard_counters.network_decline_code
        ),
        network_advice_code = coalesce(
            excluded.network_advice_code, guard_counters.network_advice_code
        );

-- name: add_finding
-- Index: uq_findings_dedupe_key.
insert into findings (
    id, org_id, obligation_id, kind, severity, state, dedupe_key, evidence, proposal, created_at,
    updated_at
)
values (
    :id, :org_id, :obligation_id, :kind, :severity, :state, :dedupe_key, cast(:evidence as jsonb),
    cast(:proposal as jsonb), :now, :now
)
on conflict (dedupe_key) do update
    set
        evidence = excluded.evidence, proposal = excluded.proposal,
        -- what a person has said of it stays, until it is so no more
        state = case
            when excluded.state = 'fixed' or findings.state in ('open', 'fixed') then excluded.state
            else findings.state
        end,
        changed_by = excluded.changed_by,
        updated_at = excluded.updated_at;

-- name: take_over
-- What a payment had come to when it was taken for somebody else's. Index: pk_attempts.
update attempts
set
    state = case when :further then s.state else attempts.state end,
    error = coalesce(s.error, attempts.error),
    finished_at = case when :further then s.finished_at else attempts.finished_at end,
    refunded_minor = greatest(s.refunded_minor, attempts.refunded_minor),
    disputed = s.disputed or attempts.disputed,
    updated_at = s.updated_at
from attempts as s
where attempts.id = :mine and s.id = :stranger;

-- name: fold_attempt
-- A webhook came before we had the charge's id and was taken for somebody else's try: it is ours.
-- Indexes: primary keys.
with failure as (
    delete from failures where attempt_id = :stranger
),

counter as (
    delete from guard_counters where attempt_id = :stranger
    returning network_decline_code, network_advice_code
),

kept as (
    update guard_counters
    set
        network_decline_code = coalesce(
            c.network_decline_code, guard_counters.network_decline_code
        ),
        network_advice_code = coalesce(c.network_advice_code, guard_counters.network_advice_code)
    from counter as c
    where guard_counters.attempt_id = :mine
)

delete from attempts
where id = :stranger;

-- name: wake_case_later
-- Let decide() look at the case again at :at, unless it will earlier. Index: uq_cases.
update cases
set decide_at = least(coalesce(decide_at, :at), :at), updated_at = :now
where obligation_id = :obligation_id and state in ('open', 'retrying', 'awaiting_payer');
