-- name: without_case
-- Debts with a classified failure whose failures name no case yet. Index: ix_failures_no_case.
select
    o.id, o.org_id, o.connection_id, o.state, o.due_minor, o.refunded_minor,
    (select c.id from cases as c where c.obligation_id = o.id) as case_id
from obligations as o
where
    o.id in (
        select f.obligation_id from failures as f
        where f.case_id is null
        order by f.obligation_id
        limit :limit
    )
    and o.state <> 'superseded'
order by o.id
for update of o skip locked;

-- name: ensure_policy
-- The default policy of an organisation, made when it is first needed. Index: uq_policy_versions.
insert into policy_versions (id, org_id, name, version, definition, created_at)
values (:id, :org_id, 'default', 1, cast(:definition as jsonb), :now)
on conflict (org_id, name, version) do nothing;

-- name: current_policy
-- The newest version: what a case opened now is pinned to. Index: uq_policy_versions.
select p.id
from policy_versions as p
where p.org_id = :org_id and p.name = 'default'
order by p.version desc
limit 1;

-- name: policy_versions
-- Every version, newest first. Index: uq_policy_versions.
select p.id, p.version, p.definition, p.created_at
from policy_versions as p
where p.org_id = :org_id and p.name = 'default'
order by p.version desc;

-- name: policy_version
-- Index: pk_policy_versions.
select p.id, p.version, p.definition, p.created_at
from policy_versions as p
where p.id = :id and p.org_id = :org_id;

-- name: lock_policies
-- One writer of an organisation's policy at a time: version numbers have no gaps.
select pg_advisory_xact_lock(hashtextextended('policies ' || cast(:org_id as text), 0));

-- name: add_policy_version
-- Index: uq_policy_versions.
insert into policy_versions (id, org_id, name, version, definition, created_at)
values (:id, :org_id, 'default', :version, cast(:definition as jsonb), :now);

-- name: rule_changes
-- When the rules of some organisations changed. Index: uq_rule_versions_org_id_rule_id_version.
select distinct
    r.org_id,
    r.created_at
from rule_versions as r
where r.org_id = any(cast(:org_ids as uuid[]))
order by r.org_id, r.created_at;

-- name: open_case
-- Index: uq_cases_obligation_id.
insert into cases (
    id, org_id, connection_id, obligation_id, policy_version_id, state, decide_at, opened_at,
    updated_at
)
values (
    :id, :org_id, :connection_id, :obligation_id, :policy_version_id, 'open', :now, :now, :now
)
on conflict (obligation_id) do nothing;

-- name: tie_failures
-- Failures know their case, and a new one makes decide() look again. Index: ix_failures_no_case.
with tied as (
    update failures set case_id = c.id
    from cases as c
    where
        c.obligation_id = failures.obligation_id
        and failures.obligation_id = :obligation_id and failures.case_id is null
    returning c.id
)

update cases set decide_at = least(coalesce(decide_at, :now), :now), updated_at = :now
where
    id in (select tied.id from tied)
    and state in ('open', 'retrying', 'awaiting_payer')
returning id;

-- name: tie_attempts
-- Index: ix_attempts_obligation_id.
update attempts set case_id = :case_id, updated_at = :now
where obligation_id = :obligation_id and case_id is null;

-- name: due_cases
-- Cases that decide() is to look at, with their debts: what is decided is decided on a debt that
-- nobody writes meanwhile. Index: ix_cases_decide_at.
select
    c.id, c.org_id, c.connection_id, c.obligation_id, c.state, c.opened_at, c.asked_at,
    c.policy_version_id, p.definition,
    o.state as obligation_state, o.psp, o.due_minor, o.paid_minor, o.currency, o.psp_retries,
    o.has_mandate, o.mandate_ref, o.stopped_by, o.cycle_end, o.payer_email, o.payer_phone,
    o.payer_language, o.payer_country, o.customer_tags, n.account_id, n.retry_owner,
    m.frequency as mandate_frequency,
    g.timezone as org_timezone, g.country as merchant_country, g.category as merchant_category,
    (
        select count(*) from outbox as b
        where b.case_id = c.id and b.state <> 'cancelled'
    ) as messages
from cases as c
inner join obligations as o on c.obligation_id = o.id
inner join policy_versions as p on c.policy_version_id = p.id
inner join connections as n on c.connection_id = n.id
inner join organisations as g on c.org_id = g.org_id
left join mandates as m on o.mandate_ref = m.object_id and o.connection_id = m.connection_id
where c.decide_at <= :now and c.state in ('open', 'retrying', 'awaiting_payer')
order by c.decide_at, c.id
limit :limit
for update of o, c skip locked;

-- name: attempt_views
-- Everybody's tries at some debts, with what was made of their failures; of one that nobody has
-- classified yet, what its PSP said. Index: ix_attempts_obligation_id, pk_failures.
select
    a.obligation_id, a.id, a.org_id, a.psp, a.actor, a.state, a.payer_present, a.method, a.network,
    a.country, a.instrument_key, a.payment_method_ref, a.psp_payment_id, a.door_id,
    coalesce(a.finished_at, a.occurred_at, a.scheduled_at, a.created_at) as at,
    f.retry_advice, f.hard, f.late_authorisation, f.network_decline_code, f.network_advice_code,
    f.category, f.code, f.reason, a.error ->> 'advice_code' as advice_code,
    a.notice_asked_at is not null as notice_asked,
    case when a.state = 'failed' and f.attempt_id is null then coalesce(a.error, '{}') end as said
from attempts as a
left join failures as f on a.id = f.attempt_id
where a.obligation_id = any(cast(:obligation_ids as uuid[]))
order by at, a.psp_payment_id, a.id;

-- name: counters
-- Everyone's attempts on some instruments since :since, all that a debt in question has seen, and
-- those after which an instrument is never charged again, however long ago; of a mandate also what
-- succeeded since :taken_since, which takes its cycle. Index: ix_guard_counters_instrument, pk_mandates.
select
    g.instrument_key, g.attempt_id, g.obligation_id, g.counted_at, g.amount_minor, g.currency,
    g.initiator, g.state, g.network_decline_code, g.network_advice_code
from guard_counters as g
where
    g.psp = :psp
    and g.account_id = :account_id
    and g.instrument_key = any(cast(:instrument_keys as text[]))
    and (
        g.counted_at > :since
        or g.obligation_id = any(cast(:obligation_ids as uuid[]))
        or g.network_decline_code = any(cast(:never_decline as text[]))
        or g.network_advice_code = any(cast(:never_advice as text[]))
        or (
            g.state = 'succeeded' and g.counted_at > :taken_since
            and g.instrument_key in (
                select m.object_id from mandates as m
                where m.object_id = any(cast(:instrument_keys as text[]))
            )
        )
    )
    and g.state in ('submitted', 'succeeded', 'failed', 'pending', 'requires_action', 'unknown')
order by g.counted_at, g.attempt_id;

-- name: store_decision
insert into decisions (
    id, org_id, case_id, obligation_id, policy_version_id, action, act_at, reasons, inputs,
    decided_at
)
values (
    :id, :org_id, :case_id, :obligation_id, :policy_version_id, :action, :act_at,
    cast(:reasons as jsonb), cast(:inputs as jsonb), :now
);

-- name: schedule
-- A retry of ours, planned. SQL refuses it where the debt is not to be charged (rule 10).
insert into attempts (
    id, org_id, connection_id, psp, obligation_id, case_id, actor, state, door_id, amount_minor,
    currency, method, network, country, instrument_key, payment_method_ref, mandate_ref,
    decision_id, guard_rows, scheduled_at, created_at, updated_at
)
values (
    :id, :org_id, :connection_id, :psp, :obligation_id, :case_id, 'tinko', 'scheduled', :door_id,
    :amount, :currency, :method, :network, :country, :instrument_key, :payment_method_ref,
    (select o.mandate_ref from obligations as o where o.id = :obligation_id),
    :decision_id, cast(:guard_rows as jsonb), :scheduled_at, :now, :now
);

-- name: after_decision
-- Index: pk_cases.
update cases
set
    state = case when state = any(cast(:reachable as text[])) then :state else state end,
    decide_at = :decide_at,
    asked_at = case
        when :asked and asked_at is null then cast(:now as timestamptz) else asked_at
    end,
    close_reason = coalesce(:close_reason, close_reason),
    closed_at = case when :closed then cast(:now as timestamptz) else closed_at end,
    updated_at = :now
where id = :id;

-- name: mark_cases
-- What rules put onto a case: words, and another PSP that the payer may choose. Index: pk_cases.
update cases
set
    tags = cases.tags || array(
        select w.word
        from unnest(cast(:tags as text[])) with ordinality as w (word, place)
        where w.word <> all(cases.tags)
        order by w.place
    ),
    offered_psp = coalesce(:offered_psp, offered_psp),
    updated_at = :now
where id = :id;

-- name: debt_of_case
-- Index: pk_cases.
select c.obligation_id from cases as c
where c.id = :id;

-- name: lock_case
-- Index: pk_cases.
select c.obligation_id, c.state, c.close_reason
from cases as c
where c.id = :id
for update;

-- name: look_again
-- Index: pk_cases.
update cases set decide_at = :at, updated_at = :now
where id = :id;

-- name: pending_decisions
-- What the sensor rings for: due cases, and failures or attempts not yet worked on.
-- Indexes: ix_cases_decide_at, ix_failures_no_case, ix_attempts_unclassified.
select
    min(work.id) as oldest,
    count(*) as due
from (
    (
        select cast(c.id as text) as id
        from cases as c
        where c.decide_at <= :now and c.state in ('open', 'retrying', 'awaiting_payer')
        order by c.id
        limit 1000
    )
    union all
    (
        select cast(f.attempt_id as text) as id
        from failures as f
        where f.case_id is null
        order by f.attempt_id
        limit 1000
    )
    union all
    (
        select cast(a.id as text) as id
        from attempts as a
        where a.state = 'failed' and a.classified_at is null
        order by a.id
        limit 1000
    )
) as work;

-- name: due_messages
-- Index: ix_outbox_pending.
select
    min(cast(b.id as text)) as oldest,
    count(*) as due
from outbox as b
where
    b.due_at <= :now
    and (b.state = 'pending' or (b.state = 'sending' and b.lease_until_wall < :wall));
