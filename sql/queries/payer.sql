-- Rule 7: what a payer may choose between, and what a debt has at other PSPs than its own.

-- name: offer
-- The other PSP that a rule offered to the payer of a debt, with the account there: of several the
-- oldest, in the same mode. `stays`: a door of the debt is open that cannot be closed without giving
-- it up, or its PSP collects again by itself. No row where nothing can be offered.
-- Indexes: pk_obligations, uq_cases_obligation_id, ix_doors_obligation_id; few connections.
select
    o.psp, o.currency, c.offered_psp, other.id as other_id,
    (
        o.psp_retries is true
        or exists (
            select 1 from doors as d
            where
                d.obligation_id = o.id and d.status = 'open'
                and d.kind = any(cast(:staying as text[]))
        )
    ) as stays
from obligations as o
inner join cases as c on o.id = c.obligation_id
inner join connections as home on o.connection_id = home.id
inner join lateral (
    select n.id
    from connections as n
    where
        n.org_id = o.org_id and n.psp = c.offered_psp and n.status = 'active'
        and n.livemode = home.livemode
    order by n.id
    limit 1
) as other on true
where
    o.id = :obligation_id
    and c.offered_psp <> o.psp
    and home.status = 'active'
    and home.retry_owner = 'tinko';

-- name: late_failures
-- When tries at a debt last timed out in a way that a bank may yet turn into a success, by the
-- connection they were made at. Indexes: ix_failures_obligation_id, pk_attempts.
select a.connection_id, max(f.failed_at) as failed_at
from failures as f
inner join attempts as a on f.attempt_id = a.id
where f.obligation_id = :obligation_id and f.late_authorisation
group by a.connection_id;

-- name: open_elsewhere
-- The other connections at which a debt may be being paid, as far as the ledger knows.
-- Indexes: ix_doors_obligation_id, ix_attempts_obligation_id.
select d.connection_id
from doors as d
where
    d.obligation_id = :obligation_id and d.connection_id <> :connection_id
    and d.status = 'open' and d.kind = any(cast(:closable as text[]))
union
select a.connection_id
from attempts as a
where
    a.obligation_id = :obligation_id and a.connection_id <> :connection_id
    and a.state = 'pending';
