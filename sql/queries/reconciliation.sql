-- The three books of a day, the findings they lead to, and where each recovery's money is.

-- name: listed_days
-- How far a connection was listed: its payments of :day, and its settlements at all.
-- Index: pk_ingested_days.
select
    max(d.state) filter (where d.kind = 'payment' and d.day = :day) as payments,
    max(d.last_listed_at) filter (where d.kind = 'settlement_line') as settlements_at
from ingested_days as d
where d.connection_id = :connection_id and d.kind in ('payment', 'settlement_line');

-- name: archived_of_day
-- Months in the archive that the day's attempts are of: the day's own, and those of attempts that
-- were planned, or heard of, in another month. Indexes: pk_archives (few rows),
-- ix_psp_records_connection_id_day, pk_psp_refs.
select a.month, a.state
from archives as a
where
    a.relation = 'attempts'
    and a.state in ('detached', 'dropped', 'discarded')
    and (
        (a.low <= :floor and a.high > :floor)
        or exists (
            select 1
            from psp_records as r
            inner join psp_refs as f
                on r.connection_id = f.connection_id and r.object_id = f.object_id
            where
                r.connection_id = :connection_id
                and r.day = :day
                and r.kind = 'payment'
                and f.attempt_id >= a.low
                and f.attempt_id < a.high
        )
    )
order by a.month
limit 1;

-- name: day_transactions
-- The PSP's payments of a day. Index: ix_psp_records_connection_id_day.
select
    r.connection_id::text, r.payment_id, r.status, r.amount_minor, r.refunded_minor, r.currency,
    r.fee_minor, r.tax_minor, r.captured_at
from psp_records as r
where r.connection_id = :connection_id and r.day = :day and r.kind = 'payment';

-- name: day_ledger
-- Our attempts that are payments of the day [:since, :until): by their own time, unless the PSP
-- lists them on another day, and by what the PSP lists on :day.
-- Indexes: ix_attempts_connection_id_occurred_at, ix_psp_records_connection_id_day, pk_psp_refs.
with wanted as (
    select a.id
    from attempts as a
    where
        a.connection_id = :connection_id
        and a.occurred_at >= :since
        and a.occurred_at < :until
        and a.psp_payment_id is not null
        and not exists (
            select 1 from psp_records as r
            where
                r.connection_id = a.connection_id
                and r.object_id = a.psp_payment_id
                and r.day <> :day
        )
    union
    select f.attempt_id
    from psp_records as r
    inner join psp_refs as f on r.connection_id = f.connection_id and r.object_id = f.object_id
    where
        r.connection_id = :connection_id
        and r.day = :day
        and r.kind = 'payment'
        and f.attempt_id is not null
)

select
    a.connection_id::text, a.psp_payment_id as payment_id, a.state as status, a.amount_minor,
    a.refunded_minor, a.currency, a.obligation_id::text, a.id::text as attempt_id
from attempts as a
inner join wanted as w on a.id = w.id;

-- name: ledger_totals
-- What the ledger collected on the day, added up by the database itself, per currency; the same
-- attempts as day_ledger, by id. Index: pk_attempts.
select a.currency, sum(a.amount_minor)::bigint as minor
from attempts as a
where a.id = any(cast(:ids as uuid[])) and a.state = 'succeeded'
group by a.currency
order by a.currency;

-- name: day_lines
-- All lines about the day's payments, their refunds and disputes; and payment lines of the day
-- [:since, :until) about payments that the PSP does not list. Indexes: those of settlement_lines on
-- payment_id, source_id and day, ix_psp_records_connection_id_payment_id.
with payments as (
    select r.payment_id
    from psp_records as r
    where r.connection_id = :connection_id and r.day = :day and r.kind = 'payment'
),

wanted as (
    select l.line_id
    from settlement_lines as l
    inner join payments as p on l.payment_id = p.payment_id
    where l.connection_id = :connection_id
    union
    select l.line_id
    from settlement_lines as l
    inner join psp_records as r on l.connection_id = r.connection_id and l.source_id = r.object_id
    inner join payments as p on r.payment_id = p.payment_id
    where l.connection_id = :connection_id and r.kind <> 'payment'
    union
    select l.line_id
    from settlement_lines as l
    where
        l.connection_id = :connection_id
        and l.kind = 'payment'
        and l.created_at >= :since
        and l.created_at < :until
        and l.day >= :day
        and not exists (
            select 1 from psp_records as r
            where r.connection_id = l.connection_id and r.object_id = l.source_id
        )
)

select
    l.connection_id::text, l.line_id, l.kind, l.source_id, l.payment_id, l.payout_id,
    l.payout_status, l.gross_minor, l.fee_minor, l.tax_minor, l.net_minor, l.currency,
    l.exchange_rate::text, l.on_hold, l.available_on
from settlement_lines as l
inner join wanted as w on l.line_id = w.line_id
where l.connection_id = :connection_id;

-- name: day_aftermath
-- Refunds or disputes, as :kind says, of the day's payments, whenever they were made.
-- Indexes: those of psp_records on day and payment_id.
select
    r.connection_id::text, r.object_id, r.payment_id, r.status, r.amount_minor, r.currency,
    r.listed_at as since
from psp_records as p
inner join psp_records as r on p.connection_id = r.connection_id and p.payment_id = r.payment_id
where
    p.connection_id = :connection_id
    and p.day = :day
    and p.kind = 'payment'
    and r.kind = :kind;

-- name: known_disputes
-- What the ledger has of disputes, by their keys. Index: uq_findings_dedupe_key.
select
    cast(:connection_id as text) as connection_id, f.evidence ->> 'dispute' as object_id,
    f.evidence ->> 'status' as status, (f.evidence ->> 'amount_minor')::bigint as amount_minor,
    f.evidence ->> 'currency' as currency
from findings as f
where f.dedupe_key = any(cast(:keys as text[]));

-- name: day_payouts
-- Index: ix_payouts_connection_id_day.
select
    p.connection_id::text, p.payout_id, p.status, p.amount_minor, p.currency, p.itemised, p.final
from payouts as p
where p.connection_id = :connection_id and p.day = :day;

-- name: payout_lines
-- Every line of the day's payouts. Indexes: ix_payouts_connection_id_day,
-- ix_settlement_lines_connection_id_payout_id.
select
    l.connection_id::text, l.line_id, l.kind, l.source_id, l.payment_id, l.payout_id,
    l.payout_status, l.gross_minor, l.fee_minor, l.tax_minor, l.net_minor, l.currency,
    l.exchange_rate::text, l.on_hold, l.available_on
from payouts as p
inner join settlement_lines as l
    on p.connection_id = l.connection_id and p.payout_id = l.payout_id
where p.connection_id = :connection_id and p.day = :day;

-- name: save_findings
-- Findings of one connection and day, arrays of one length. One that was fixed and is found again
-- is open again; what a person has said stays. Returns whether each is new or came back.
-- Index: uq_findings_dedupe_key.
with found as (
    select *
    from unnest(
        cast(:ids as uuid[]), cast(:kinds as text[]), cast(:severities as text[]),
        cast(:legs as text[]), cast(:dedupe_keys as text[]), cast(:subject_ids as text[]),
        cast(:payment_ids as text[]), cast(:obligation_ids as uuid[]),
        cast(:amounts as bigint[]), cast(:currencies as text[]), cast(:owners as text[]),
        cast(:evidences as jsonb[]), cast(:proposals as jsonb[])
    ) as t (
        id, kind, severity, leg, dedupe_key, subject_id, payment_id, obligation_id, amount_minor,
        currency, owner, evidence, proposal
    )
),

before as (
    select f.dedupe_key, f.state
    from findings as f
    where f.dedupe_key = any(cast(:dedupe_keys as text[]))
),

saved as (
    insert into findings (
        id, org_id, obligation_id, kind, severity, state, dedupe_key, evidence, proposal,
        connection_id, psp, leg, subject_id, payment_id, amount_minor, currency, day, owner,
        changed_by, last_seen_at, created_at, updated_at
    )
    select
        t.id, :org_id, t.obligation_id, t.kind, t.severity, 'open', t.dedupe_key, t.evidence,
        t.proposal, :connection_id, :psp, t.leg, t.subject_id, t.payment_id, t.amount_minor,
        t.currency, :day, t.owner, 'reconciliation', :now, :now, :now
    from found as t
    order by t.dedupe_key
    on conflict (dedupe_key) do update
        set
            evidence = excluded.evidence,
            proposal = excluded.proposal,
            amount_minor = excluded.amount_minor,
            currency = excluded.currency,
            day = excluded.day,
            obligation_id = coalesce(excluded.obligation_id, findings.obligation_id),
            state = case when findings.state = 'fixed' then 'open' else findings.state end,
            changed_by = case
                when findings.state = 'fixed' then excluded.changed_by else findings.changed_by
            end,
            closed_at = case when findings.state = 'fixed' then null else findings.closed_at end,
            last_seen_at = excluded.last_seen_at,
            updated_at = excluded.updated_at
    returning dedupe_key
)

select s.dedupe_key, b.state as before
from saved as s
left join before as b on s.dedupe_key = b.dedupe_key;

-- name: close_vanished
-- What was found of a connection's day and is so no more. Index: ix_findings_connection_id_day.
update findings
set
    state = 'fixed', changed_by = 'reconciliation', note = 'no longer found', closed_at = :now,
    updated_at = :now
where
    connection_id = :connection_id
    and day = :day
    and state = any(cast(:sources as text[]))
    and leg is not null
    and dedupe_key <> all(cast(:seen as text[]))
returning id;

-- name: save_day
-- Index: pk_reconciled_days.
insert into reconciled_days (
    connection_id, day, currency, org_id, psp, ledger_minor, psp_minor, matched_minor,
    findings_minor, psp_findings_minor, settled_minor, fee_minor, tax_minor, ledger_count,
    psp_count, findings_count, reconciled_at
)
values (
    :connection_id, :day, :currency, :org_id, :psp, :ledger_minor, :psp_minor, :matched_minor,
    :findings_minor, :psp_findings_minor, :settled_minor, :fee_minor, :tax_minor, :ledger_count,
    :psp_count, :findings_count, :now
)
on conflict (connection_id, day, currency) do update
    set
        ledger_minor = excluded.ledger_minor,
        psp_minor = excluded.psp_minor,
        matched_minor = excluded.matched_minor,
        findings_minor = excluded.findings_minor,
        psp_findings_minor = excluded.psp_findings_minor,
        settled_minor = excluded.settled_minor,
        fee_minor = excluded.fee_minor,
        tax_minor = excluded.tax_minor,
        ledger_count = excluded.ledger_count,
        psp_count = excluded.psp_count,
        findings_count = excluded.findings_count,
        reconciled_at = excluded.reconciled_at,
        reported_at = null;

-- name: drop_day
-- Currencies that a day has no money of any more. Index: pk_reconciled_days.
delete from reconciled_days
where
    connection_id = :connection_id
    and day = :day
    and currency <> all(cast(:currencies as text[]));

-- name: days_that_differ
-- Days on which ledger = matched + findings, or the same of the PSP's side, does not hold. Index:
-- pk_reconciled_days where :psp is given its days; else all.
select
    d.connection_id, d.day, d.currency, d.ledger_minor, d.psp_minor, d.matched_minor,
    d.findings_minor, d.psp_findings_minor
from reconciled_days as d
where
    (cast(:psp as text) is null or d.psp = :psp)
    and (
        d.ledger_minor <> d.matched_minor + d.findings_minor
        or d.psp_minor <> d.matched_minor + d.psp_findings_minor
    )
order by d.day, d.connection_id, d.currency
limit 20;

-- name: captures_left_out
-- Days of [:since, :until] on which the ledger collected another sum than its books have, per
-- connection and currency: from the first day to the last that the PSP was listed for. Captures are
-- looked for by their own time in [:low, :high), which may lie beside the PSP's day. One that was
-- written past :mark is noted, and booked by the next reconciliation. Indexes: pk_ingested_days,
-- ix_attempts_connection_id_occurred_at, pk_psp_records, pk_reconciled_days.
with listed as (
    select d.connection_id, min(d.day) as first, max(d.day) as last
    from ingested_days as d
    where
        d.psp = :psp
        and d.kind = 'payment'
        and d.state in ('closed', 'reopened')
        and d.day >= :since
        and d.day <= :until
    group by d.connection_id
),

collected as (
    select
        a.connection_id,
        coalesce(r.day, timezone('UTC', a.occurred_at)::date) as day,
        a.currency,
        sum(a.amount_minor) as minor,
        max(a.row_version) as written
    from listed as l
    inner join attempts as a on l.connection_id = a.connection_id
    left join psp_records as r
        on a.connection_id = r.connection_id and a.psp_payment_id = r.object_id
    where
        a.occurred_at >= :low
        and a.occurred_at < :high
        and a.psp_payment_id is not null
        and a.state = 'succeeded'
        and coalesce(r.day, timezone('UTC', a.occurred_at)::date) between l.first and l.last
    group by 1, 2, 3
),

booked as (
    select d.connection_id, d.day, d.currency, d.ledger_minor as minor
    from listed as l
    inner join reconciled_days as d on l.connection_id = d.connection_id
    where d.day between l.first and l.last
)

select
    coalesce(c.connection_id, b.connection_id) as connection_id,
    coalesce(c.day, b.day) as day,
    coalesce(c.currency, b.currency) as currency,
    coalesce(c.minor, 0)::bigint as collected,
    coalesce(b.minor, 0)::bigint as booked
from collected as c
full join booked as b
    on c.connection_id = b.connection_id and c.day = b.day and c.currency = b.currency
where
    coalesce(c.minor, 0) <> coalesce(b.minor, 0)
    and (c.written is null or c.written < cast(:mark as bigint))
order by 2, 1, 3
limit 20;

-- name: unsettled_recoveries
-- Recoveries whose money is not settled yet, a page by id. Index: ix_cases_recovered.
select c.id, c.obligation_id
from cases as c
where c.state = 'recovered' and c.id > :after
order by c.id
limit :limit;

-- name: undone_settlements
-- Settled recoveries whose payout came back, a page by id.
-- Indexes: ix_settlements_connection_id_payout_id, pk_payouts.
select c.id, c.obligation_id
from payouts as p
inner join settlements as s on p.connection_id = s.connection_id and p.payout_id = s.payout_id
inner join cases as c on s.case_id = c.id
where
    p.status in ('failed', 'cancelled')
    and s.state = 'settled'
    and c.state = 'settled'
    and c.id > :after
order by c.id
limit :limit;

-- name: restated_settlements
-- Settled recoveries whose line or payout was written by a transaction of [:low, :high): a bank's
-- reference that came late, a fee that was corrected. A page by id. Indexes:
-- ix_settlement_lines_row_version, ix_payouts_row_version, pk_psp_refs, uq_cases_obligation_id,
-- ix_settlements_connection_id_payout_id.
with restated as (
    select c.id
    from settlement_lines as l
    inner join psp_refs as r on l.connection_id = r.connection_id and l.source_id = r.object_id
    inner join cases as c on r.obligation_id = c.obligation_id
    where l.row_version >= :low and l.row_version < :high and l.kind = 'payment'
    union
    select s.case_id
    from payouts as p
    inner join settlements as s on p.connection_id = s.connection_id and p.payout_id = s.payout_id
    where p.row_version >= :low and p.row_version < :high
)

select c.id, c.obligation_id
from restated as r
inner join cases as c on r.id = c.id
where c.state = 'settled' and c.id > :after
order by c.id
limit :limit;

-- name: lock_recoveries
-- Cases with their debts, whose rows the caller has locked. Index: pk_cases.
select
    c.id, c.org_id, c.connection_id, c.obligation_id, c.state, c.closed_at, o.psp, o.currency,
    o.due_minor
from cases as c
inner join obligations as o on c.obligation_id = o.id
where c.id = any(cast(:ids as uuid[])) and c.state in ('recovered', 'settled')
order by c.id
for update of c;

-- name: captures_of
-- What was collected of some debts, in the order of `attempts_of`.
-- Index: ix_attempts_obligation_id.
select
    a.obligation_id, a.connection_id, a.psp, a.psp_payment_id, a.amount_minor, a.currency,
    a.refunded_minor, a.occurred_at, a.finished_at
from attempts as a
where a.obligation_id = any(cast(:obligation_ids as uuid[])) and a.state = 'succeeded'
order by
    a.obligation_id, coalesce(a.occurred_at, a.scheduled_at, a.created_at), a.psp_payment_id, a.id;

-- name: settling_lines
-- Payment lines whose source is one of :payment_ids. Index:
-- ix_settlement_lines_connection_id_source_id.
select
    l.connection_id, l.line_id, l.source_id, l.payout_id, l.payout_status, l.gross_minor,
    l.fee_minor, l.tax_minor, l.net_minor, l.currency, l.exchange_rate, l.on_hold, l.available_on,
    l.settled_at, l.utr
from settlement_lines as l
where
    l.connection_id = any(cast(:connection_ids as uuid[]))
    and l.source_id = any(cast(:payment_ids as text[]))
    and l.kind = 'payment'
order by l.connection_id, l.source_id, l.settled_at nulls last, l.line_id;

-- name: payouts_of
-- How some payouts stand, and in which one the money of one that failed left again.
-- Indexes: pk_payouts, ix_settlement_lines_connection_id_source_id.
select p.connection_id, p.payout_id, p.status, p.utr, b.payout_id as again
from payouts as p
left join settlement_lines as b
    on
        p.connection_id = b.connection_id
        and p.payout_id = b.source_id
        and b.kind = 'payout_failure'
where
    p.connection_id = any(cast(:connection_ids as uuid[]))
    and p.payout_id = any(cast(:payout_ids as text[]));

-- name: paid_out
-- How often connections are paid out, as their PSP says; when last by hand, in a payout of which
-- nobody lists what is in it, and when last by the PSP itself. Indexes: pk_payouts,
-- pk_payout_schedules.
select
    c.connection_id,
    s.payout_interval,
    max(p.created_at) filter (where not p.itemised) as by_hand,
    max(p.created_at) filter (where p.itemised) as by_itself
from unnest(cast(:connection_ids as uuid[])) as c (connection_id)
left join payout_schedules as s on c.connection_id = s.connection_id
left join payouts as p on c.connection_id = p.connection_id
group by c.connection_id, s.payout_interval;

-- name: settlements_listed
-- When each connection's settlements were last listed. Index: pk_ingested_days.
select d.connection_id, max(d.last_listed_at) as listed_at
from ingested_days as d
where d.connection_id = any(cast(:connection_ids as uuid[])) and d.kind = 'settlement_line'
group by d.connection_id;

-- name: save_settlement
-- Where the money of a recovery is; one that says the same is left alone. Index: pk_settlements.
insert into settlements (
    case_id, org_id, connection_id, obligation_id, state, reason, payment_id, amount_minor,
    currency, line_id, payout_id, gross_minor, fee_minor, tax_minor, net_minor, settled_currency,
    exchange_rate, utr, due_on, settled_at, updated_at
)
values (
    :case_id, :org_id, :connection_id, :obligation_id, :state, :reason, :payment_id,
    :amount_minor, :currency, :line_id, :payout_id, :gross_minor, :fee_minor, :tax_minor,
    :net_minor, :settled_currency, :exchange_rate, :utr, :due_on, :settled_at, :now
)
on conflict (case_id) do update
    set
        connection_id = excluded.connection_id,
        obligation_id = excluded.obligation_id,
        state = excluded.state,
        reason = excluded.reason,
        payment_id = excluded.payment_id,
        amount_minor = excluded.amount_minor,
        currency = excluded.currency,
        line_id = excluded.line_id,
        payout_id = excluded.payout_id,
        gross_minor = excluded.gross_minor,
        fee_minor = excluded.fee_minor,
        tax_minor = excluded.tax_minor,
        net_minor = excluded.net_minor,
        settled_currency = excluded.settled_currency,
        exchange_rate = excluded.exchange_rate,
        utr = excluded.utr,
        due_on = excluded.due_on,
        settled_at = excluded.settled_at,
        updated_at = excluded.updated_at
    where
    (
        settlements.connection_id, settlements.state, settlements.reason, settlements.line_id,
        settlements.payout_id, settlements.amount_minor, settlements.gross_minor,
        settlements.fee_minor, settlements.tax_minor, settlements.net_minor,
        settlements.exchange_rate, settlements.utr, settlements.due_on, settlements.settled_at
    )
    is distinct from (
        excluded.connection_id, excluded.state, excluded.reason, excluded.line_id,
        excluded.payout_id, excluded.amount_minor, excluded.gross_minor,
        excluded.fee_minor, excluded.tax_minor, excluded.net_minor,
        excluded.exchange_rate, excluded.utr, excluded.due_on, excluded.settled_at
    );

-- name: settlement_counts
-- Every recovery that stands, by where its money is; one without a row is not linked yet.
-- Index: pk_settlements.
select coalesce(s.state, 'unlinked') as state, c.state as case_state, count(*) as cases
from cases as c
left join settlements as s on c.id = s.case_id
where c.state in ('recovered', 'settled')
group by 1, 2
order by 1, 2;

-- name: settlements_page
-- Where the money of an organisation's recoveries is, newest recovery first, a page by case; each
-- filter may be null. One that was reversed since, or never looked at, is not among them.
-- Indexes: pk_settlements, pk_cases.
select
    s.case_id, s.obligation_id, s.connection_id, s.state, s.reason, s.payment_id, s.amount_minor,
    s.currency, s.due_on, s.payout_id, s.utr, s.gross_minor, s.fee_minor, s.tax_minor, s.net_minor,
    s.settled_currency, s.exchange_rate::text, s.settled_at, s.updated_at
from settlements as s
inner join cases as c on s.case_id = c.id
where
    c.state in ('recovered', 'settled')
    and (cast(:before as uuid) is null or s.case_id < :before)
    and (cast(:state as text) is null or s.state = :state)
    and (cast(:connection_id as uuid) is null or s.connection_id = :connection_id)
    and (cast(:currency as text) is null or s.currency = :currency)
order by s.case_id desc
limit :limit;

-- name: findings_page
-- Findings, newest first, a page by id; each filter may be null. Index: ix_findings_org_id_id.
select
    f.id, f.kind, f.severity, f.state, f.leg, f.connection_id, f.psp, f.subject_id, f.payment_id,
    f.obligation_id, f.amount_minor, f.currency, f.day, f.owner, f.note, f.repair_state,
    f.created_at, f.last_seen_at, f.closed_at, f.updated_at
from findings as f
where
    (cast(:before as uuid) is null or f.id < :before)
    and (cast(:kind as text) is null or f.kind = :kind)
    and (cast(:state as text) is null or f.state = :state)
    and (cast(:severity as text) is null or f.severity = :severity)
    and (cast(:psp as text) is null or f.psp = :psp)
    and (cast(:connection_id as uuid) is null or f.connection_id = :connection_id)
    and (cast(:currency as text) is null or f.currency = :currency)
    and (cast(:owner as text) is null or f.owner = :owner)
    and (cast(:first as date) is null or f.day >= :first)
    and (cast(:last as date) is null or f.day <= :last)
order by f.id desc
limit :limit;

-- name: finding_by_id
-- Index: pk_findings.
select
    f.id, f.org_id, f.kind, f.severity, f.state, f.leg, f.connection_id, f.psp, f.subject_id,
    f.payment_id, f.obligation_id, f.amount_minor, f.currency, f.day, f.owner, f.note,
    f.repair_state, f.repair_by, f.repair_wall, f.evidence, f.proposal, f.created_at,
    f.last_seen_at, f.closed_at, f.updated_at
from findings as f
where f.id = :id;

-- name: lock_finding
-- Index: pk_findings.
select
    f.id, f.org_id, f.kind, f.leg, f.state, f.connection_id, f.subject_id, f.payment_id,
    f.obligation_id, f.day, f.evidence, f.proposal, f.repair_state, f.repair_by, f.repair_wall
from findings as f
where f.id = :id
for update;

-- name: day_of_object
-- The day on which a payment, refund or dispute was made. Index: pk_psp_records.
select r.day
from psp_records as r
where r.connection_id = :connection_id and r.object_id = :object_id;

-- name: debt_of_payment
-- The debt that the ledger ties a PSP's payment to. Index: pk_psp_refs.
select r.obligation_id
from psp_refs as r
where r.connection_id = :connection_id and r.object_id = :payment_id;

-- name: finding_history
-- Index: ix_finding_events_finding_id.
select e.seq, e.action, e.from_state, e.to_state, e.by, e.note, e.detail, e.at
from finding_events as e
where e.finding_id = :id
order by e.seq;

-- name: move_finding
-- A person's, or a rule's, word on a finding; out of the states that allow it. Index: pk_findings.
update findings
set
    state = :state, note = :note, changed_by = :by, updated_at = :now,
    closed_at = case when :state = 'open' then null else closed_at end
where id = :id and state = any(cast(:sources as text[]))
returning id;

-- name: assign_finding
-- Index: pk_findings.
update findings set owner = :owner, updated_at = :now
where id = :id
returning id;

-- name: add_finding_event
insert into finding_events (org_id, finding_id, action, by, note, detail, at)
values (:org_id, :id, :action, :by, :note, cast(:detail as jsonb), :now);

-- name: set_repair
-- How far a repair has got; its first sending is remembered. Index: pk_findings.
update findings
set
    repair_state = :repair_state, repair_by = coalesce(:by, repair_by),
    repair_wall = coalesce(repair_wall, :wall), updated_at = :now
where id = :id;

-- name: wanted_repairs
-- Repairs that were asked for and are not done, at one PSP or (null) at all of them. The ledger's
-- own findings name none: theirs is where the payment to give back was taken, as of refund_wanted.
-- Indexes: ix_findings_repair, pk_obligations, ix_attempts_obligation_id.
select f.id
from findings as f
left join obligations as o on f.obligation_id = o.id
left join attempts as a
    on o.id = a.obligation_id and a.psp_payment_id = f.proposal ->> 'refund'
where
    f.repair_state in ('requested', 'applying')
    and (cast(:psp as text) is null or coalesce(f.psp, a.psp, o.psp) = :psp)
order by f.id
limit :limit;

-- name: oldest_repairs
-- The first of the repairs that wait at each PSP. Indexes: those of wanted_repairs.
select coalesce(f.psp, a.psp, o.psp) as psp, min(f.id::text) as oldest
from findings as f
left join obligations as o on f.obligation_id = o.id
left join attempts as a
    on o.id = a.obligation_id and a.psp_payment_id = f.proposal ->> 'refund'
where f.repair_state in ('requested', 'applying')
group by 1
order by 1;

-- name: refund_wanted
-- The connection that a debt's double collection is given back through: where that payment was taken.
-- Indexes: pk_obligations, ix_attempts_obligation_id.
select coalesce(a.connection_id, o.connection_id) as connection_id
from obligations as o
left join attempts as a on o.id = a.obligation_id and a.psp_payment_id = :payment_id
where o.id = :obligation_id;

-- name: days_page
-- Reconciled days of an organisation, newest first, one row per connection and currency.
-- Index: ix_reconciled_days_org_id_day.
select
    d.day, d.connection_id, d.psp, d.currency, d.ledger_minor, d.psp_minor, d.matched_minor,
    d.findings_minor, d.psp_findings_minor, d.settled_minor, d.fee_minor, d.tax_minor,
    d.ledger_count, d.psp_count, d.findings_count, d.reconciled_at
from reconciled_days as d
where
    (cast(:first as date) is null or d.day >= :first)
    and (cast(:last as date) is null or d.day <= :last)
    and (cast(:psp as text) is null or d.psp = :psp)
    and (cast(:currency as text) is null or d.currency = :currency)
order by d.day desc, d.psp asc, d.connection_id asc, d.currency asc
limit :limit;

-- name: unreported_days
-- Days that were reconciled since their report was stored, oldest first.
-- Index: ix_reconciled_days_unreported.
select distinct d.day
from reconciled_days as d
where d.reported_at is null
order by d.day
limit :limit;

-- name: mark_reported
-- The day's reports tell what was reconciled until :until. Index: ix_reconciled_days_unreported.
update reconciled_days as d
set reported_at = :until
where d.day = :day and d.reported_at is null and d.reconciled_at <= :until;

-- name: day_findings
-- What a report of some days lists. Index: ix_findings_connection_id_day.
select
    f.id, f.kind, f.severity, f.state, f.leg, f.connection_id, f.psp, f.subject_id, f.payment_id,
    f.obligation_id, f.amount_minor, f.currency, f.day, f.owner, f.note, f.created_at
from findings as f
where
    f.day >= :first and f.day <= :last
    and (cast(:psp as text) is null or f.psp = :psp)
    and f.leg is not null
order by f.day, f.kind, f.subject_id
limit :limit;

-- name: day_held
-- What a PSP listed of some days and a check refused, so that it is in none of their books: rows and
-- money, per connection, table and currency. A line is of its payment's day. What was listed again
-- since, and let through, is counted. Indexes: scans the quarantine; pk_psp_records,
-- pk_settlement_lines, pk_payouts.
with held as (
    select
        q.org_id, q.frame, q.state, q.last_seen, split_part(q.key, ' ', 1)::uuid as connection_id,
        substr(q.key, strpos(q.key, ' ') + 1) as key, q.payload ->> 'psp' as psp,
        q.payload ->> 'payment_id' as payment_id, q.payload ->> 'currency' as currency,
        coalesce(q.payload ->> 'gross_minor', q.payload ->> 'amount_minor')::numeric as minor,
        timezone('UTC', (q.payload ->> 'created_at')::timestamptz)::date as day
    from quarantine as q
    where q.source = 'listing' and q.state in ('quarantined', 'dropped')
),

placed as (
    select h.*, coalesce(r.day, h.day) as of_day
    from held as h
    left join psp_records as r
        on h.connection_id = r.connection_id and h.payment_id = r.object_id
)

select
    p.of_day as day, p.psp, p.connection_id, p.frame, p.state, p.currency, count(*) as rows,
    sum(p.minor) as minor
from placed as p
where
    p.of_day >= :first
    and p.of_day <= :last
    and (cast(:psp as text) is null or p.psp = :psp)
    and not exists (
        select 1 from settlement_lines as l
        where
            p.frame = 'settlement_lines'
            and l.connection_id = p.connection_id
            and l.line_id = p.key
            and l.listed_at >= p.last_seen
    )
    and not exists (
        select 1 from psp_records as r
        where
            p.frame = 'psp_records'
            and r.connection_id = p.connection_id
            and r.object_id = p.key
            and r.listed_at >= p.last_seen
    )
    and not exists (
        select 1 from payouts as o
        where
            p.frame = 'payouts'
            and o.connection_id = p.connection_id
            and o.payout_id = p.key
            and o.listed_at >= p.last_seen
    )
group by p.of_day, p.psp, p.connection_id, p.frame, p.state, p.currency
order by p.of_day, p.connection_id, p.frame, p.state, p.currency;

-- name: note_changed_days
-- Days, of every connection, of which a record, line, payout or attempt was written, or set aside as
-- refused, by a transaction of [:low, :high): those of the payments it is about, and a payout's own.
-- A dispute or refund, and the line of one, is about a payment of another day; the line by which a
-- payout came back is about all that was in it. Indexes: ix_psp_records_row_version and its like on
-- settlement_lines, payouts, attempts and quarantine, pk_psp_records, pk_psp_refs, pk_attempts,
-- pk_payouts, those of settlement_lines on payout_id and source_id.
with recursive records as materialized (
    select r.connection_id, r.object_id, r.kind, r.payment_id
    from psp_records as r
    where r.row_version >= :low and r.row_version < :high
),

lines as materialized (
    select l.connection_id, l.kind, l.source_id, l.payment_id, l.payout_id, l.created_at
    from settlement_lines as l
    where l.row_version >= :low and l.row_version < :high
),

came_back (connection_id, payout_id) as (
    select l.connection_id, l.source_id
    from lines as l
    where l.kind = 'payout_failure' and l.source_id is not null
    union
    select l.connection_id, l.source_id
    from came_back as b
    inner join settlement_lines as l
        on b.connection_id = l.connection_id and b.payout_id = l.payout_id
    where l.kind = 'payout_failure' and l.source_id is not null
),

touched as (
    select l.connection_id, l.source_id, l.payment_id from lines as l
    union
    select l.connection_id, l.source_id, l.payment_id
    from came_back as b
    inner join settlement_lines as l
        on b.connection_id = l.connection_id and b.payout_id = l.payout_id
),

payments as (
    select r.connection_id, r.payment_id from records as r
    union
    select t.connection_id, t.payment_id from touched as t where t.payment_id is not null
    union
    select t.connection_id, r.payment_id
    from touched as t
    inner join psp_records as r on t.connection_id = r.connection_id and t.source_id = r.object_id
),

days as (
    select r.connection_id, r.day
    from payments as p
    inner join psp_records as r on p.connection_id = r.connection_id and p.payment_id = r.object_id
    union
    select
        a.connection_id,
        coalesce(r.day, timezone('UTC', a.occurred_at)::date)
    from attempts as a
    left join psp_records as r
        on a.connection_id = r.connection_id and a.psp_payment_id = r.object_id
    where
        a.row_version >= :low
        and a.row_version < :high
        and a.psp_payment_id is not null
        and (r.day is not null or a.occurred_at is not null)
    union
    -- where our attempt and a line stood until the PSP listed their payment
    select a.connection_id, timezone('UTC', a.occurred_at)::date
    from records as r
    inner join psp_refs as f on r.connection_id = f.connection_id and r.object_id = f.object_id
    inner join attempts as a on f.attempt_id = a.id
    where r.kind = 'payment' and a.connection_id is not null and a.occurred_at is not null
    union
    select l.connection_id, timezone('UTC', l.created_at)::date
    from records as r
    inner join settlement_lines as l
        on r.connection_id = l.connection_id and r.object_id = l.source_id
    where r.kind = 'payment'
    union
    select l.connection_id, timezone('UTC', l.created_at)::date
    from lines as l
    where l.kind = 'payment'
    union
    select p.connection_id, p.day
    from payouts as p
    where p.row_version >= :low and p.row_version < :high
    union
    select p.connection_id, p.day
    from lines as l
    inner join payouts as p on l.connection_id = p.connection_id and l.payout_id = p.payout_id
    union
    -- what left its table for the quarantine
    select
        split_part(q.key, ' ', 1)::uuid,
        coalesce(r.day, timezone('UTC', (q.payload ->> 'created_at')::timestamptz)::date)
    from quarantine as q
    left join psp_records as r
        on
            split_part(q.key, ' ', 1)::uuid = r.connection_id
            and q.payload ->> 'payment_id' = r.object_id
    where
        q.row_version >= :low
        and q.row_version < :high
        and q.source = 'listing'
        and q.payload ->> 'created_at' is not null
)

insert into unreconciled_days (connection_id, day, org_id, noted_at)
select d.connection_id, d.day, c.org_id, :now
from days as d
inner join connections as c on d.connection_id = c.id
order by d.connection_id, d.day
on conflict (connection_id, day) do nothing
returning day;

-- name: keep_unreconciled
-- A day on which something becomes late as time passes. Index: pk_unreconciled_days.
insert into unreconciled_days (connection_id, day, org_id, noted_at)
values (:connection_id, :day, :org_id, :now)
on conflict (connection_id, day) do nothing;

-- name: take_unreconciled
-- Before its books are read: what changes them from now on notes the day again.
-- Index: pk_unreconciled_days.
delete from unreconciled_days
where connection_id = :connection_id and day = :day;

-- name: days_to_revisit
-- Days ahead of :before that are not done with, oldest first: their books changed, or something on
-- them waits for its time; and those where the ledger's word on a dispute, which stamps no row, may
-- come any day. Days that the PSP was not listed for wait, and those of archived months.
-- Indexes: pk_unreconciled_days, ix_findings_disputes_apart, pk_ingested_days, pk_archives.
select u.day
from (
    select w.day
    from unreconciled_days as w
    where w.connection_id = :connection_id and w.day < :before
    union
    select f.day
    from findings as f
    where
        f.connection_id = :connection_id
        and f.day < :before
        and f.kind = 'dispute_not_reflected'
        and f.leg = 'ledger'
        and f.state <> 'fixed'
) as u
inner join ingested_days as d
    on
        d.connection_id = :connection_id
        and d.kind = 'payment'
        and u.day = d.day
        and d.state in ('closed', 'reopened')
where
    not exists (
        select 1 from archives as a
        where
            a.relation = 'attempts'
            and a.month = to_char(u.day, 'YYYY-MM')
            and a.state in ('detached', 'dropped', 'discarded')
    )
order by u.day
limit :limit;
