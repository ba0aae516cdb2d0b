-- The outbox of messages to payers, and what the payer's page reads.

-- name: facts_of_obligation
-- What a message about :obligation_id says, as it is now: the amount still due (minor units), the
-- category of the newest failure. Index: pk_obligations, ix_failures_obligation_id.
select
    o.due_minor - o.paid_minor as outstanding_minor,
    o.currency,
    (
        select f.category from failures as f
        where f.obligation_id = o.id
        order by f.failed_at desc, f.attempt_id desc limit 1
    ) as category
from obligations as o
where o.id = :obligation_id and o.org_id = :org_id;

-- name: enqueue
-- One message; nothing when its :dedupe_key was used before. Index: uq_outbox_dedupe_key.
insert into outbox (
    id, org_id, case_id, obligation_id, message, channel, recipient, language,
    dedupe_key, payload, state, due_at, created_at, updated_at
) values (
    :id, :org_id, :case_id, :obligation_id, :message, :channel, :recipient, :language,
    :dedupe_key, cast(:payload as jsonb), 'pending', :due_at, :now, :now
)
on conflict (dedupe_key) do nothing
returning id;

-- name: next_due
-- The oldest message that is due at :now (business) and free at :wall, locked for this
-- transaction, with what it will say as the ledger stands. `lease_until_wall` of a pending row is
-- the end of its back-off. Channels in :skip are left alone. `unrecorded`: tries whose end nobody wrote down.
-- Index: ix_outbox_pending, ix_notification_deliveries_outbox_id.
select
    b.id, b.org_id, b.case_id, b.obligation_id, b.message, b.channel, b.recipient, b.language,
    b.payload, b.state, b.tries,
    b.tries - (
        select count(*) from notification_deliveries as d where d.outbox_id = b.id
    ) as unrecorded,
    o.state as obligation_state,
    o.due_minor - o.paid_minor as outstanding_minor,
    o.currency, o.description, o.payer_name,
    c.state as case_state,
    g.name as merchant, g.timezone
from outbox as b
left join obligations as o on o.id = b.obligation_id
left join cases as c on c.id = b.case_id
left join organisations as g on g.org_id = b.org_id
where
    b.state in ('pending', 'sending')
    and b.due_at <= :now
    and b.channel <> all(cast(:skip as text[]))
    and (b.lease_until_wall is null or b.lease_until_wall <= :wall)
order by b.due_at, b.id
limit 1
for update of b skip locked;

-- name: lease
-- Take :id for one try until :lease (wall); :said becomes part of what the payload records.
-- Index: pk_outbox.
update outbox
set
    state = 'sending', tries = tries + 1, lease_until_wall = :lease,
    payload = payload || cast(:said as jsonb), updated_at = :now
where id = :id;

-- name: close
-- End :id as :state (sent, failed, cancelled) with :error; only where it has not ended already.
-- Index: pk_outbox.
update outbox
set
    state = :state,
    lease_until_wall = null,
    last_error = :error,
    sent_at = case when :state = 'sent' then cast(:now as timestamptz) end,
    updated_at = :now
where id = :id and state in ('pending', 'sending');

-- name: put_back
-- :id failed for now: free again at :free_at (wall). Index: pk_outbox.
update outbox
set state = 'pending', lease_until_wall = :free_at, last_error = :error, updated_at = :now
where id = :id and state = 'sending';

-- name: record_delivery
-- What one try came to; append-only, partitioned by month of :id.
insert into notification_deliveries (id, org_id, outbox_id, channel, result, detail, at)
values (:id, :org_id, :outbox_id, :channel, :result, :detail, :now);

-- name: cancel_for_obligation
-- Nothing more is sent about :obligation_id. A row being sent right now keeps its own end.
-- Index: ix_outbox_pending.
update outbox
set state = 'cancelled', last_error = :why, lease_until_wall = null, updated_at = :now
where obligation_id = :obligation_id and state = 'pending';

-- name: pay_page
-- What the payer's page shows of :obligation_id. Index: pk_obligations, ix_failures_obligation_id.
select
    o.id, o.connection_id, o.state, o.psp, o.due_minor, o.paid_minor, o.currency, o.description,
    o.payer_language, o.superseded_by,
    g.name as merchant, g.timezone, g.language as merchant_language,
    (
        select f.category from failures as f
        where f.obligation_id = o.id
        order by f.failed_at desc, f.attempt_id desc limit 1
    ) as category
from obligations as o
inner join organisations as g on g.org_id = o.org_id
where o.id = :obligation_id;

-- name: attempts_in_the_air
-- Attempts at :obligation_id, whoever made them, that may yet move money.
-- Index: ix_attempts_obligation_id.
select actor, state
from attempts
where
    obligation_id = :obligation_id
    and state in ('claimed', 'submitted', 'unknown', 'pending');
