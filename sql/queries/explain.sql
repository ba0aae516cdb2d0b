-- name: attempt
-- An attempt, what was decided that led to it, under which policy, and what it was allowed on: each
-- with the limits that it names by their digest. Older evidence holds them itself, older decisions
-- none; rows that are not what their digest says are none. Indexes: pk_attempts, pk_decisions,
-- pk_policy_versions, pk_guard_limits.
select
    a.id, a.org_id, a.obligation_id, a.case_id, a.psp, a.actor, a.state, a.amount_minor,
    a.currency, a.method, a.network, a.country, a.instrument_key, a.psp_payment_id, a.scheduled_at,
    a.submitted_at, a.decision_id, d.action, d.act_at, d.reasons, d.inputs,
    d.decided_at, p.version as policy_version, p.definition as policy,
    case
        when l.digest = encode(sha256(convert_to(l.rows, 'UTF8')), 'hex')
            then cast(l.rows as jsonb)
    end as limits,
    case
        when g.digest = encode(sha256(convert_to(g.rows, 'UTF8')), 'hex')
            then a.evidence || jsonb_build_object('rows', cast(g.rows as jsonb))
        else a.evidence
    end as evidence
from attempts as a
left join decisions as d on a.decision_id = d.id
left join policy_versions as p on d.policy_version_id = p.id
left join guard_limits as l on d.inputs ->> 'limits' = l.digest
left join guard_limits as g on a.evidence ->> 'limits' = g.digest
where a.id = :id;
