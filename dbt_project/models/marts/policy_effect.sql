{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency, policy_version_id, policy_name, policy_version)',
    meta={'counts': 'int_failed_obligations'},
    post_hook=["{{ note_position(['int_failed_obligations']) }}"]
) }}
-- What failed on a day and what became of it, by the policy version that its case is pinned to.
select
    debts.org_id as org_id,
    debts.day as day,
    debts.connection_id as connection_id,
    debts.psp as psp,
    debts.method as method,
    debts.category as category,
    debts.currency as currency,
    debts.policy_version_id as policy_version_id,
    policies.policy_name as policy_name,
    policies.policy_version as policy_version,
    count() as failed,
    sum(due_minor) as failed_minor,
    sum(retries) as retries,
    countIf(outcome = 'recovered') as recovered,
    sum(recovered_minor) as recovered_minor,
    countIf(outcome = 'lost') as lost,
    sumIf(due_minor, outcome = 'lost') as lost_minor,
    countIf(outcome = 'active') as active,
    sumIf(due_minor, outcome = 'active') as active_minor
from (
    select *
    from {{ ref('int_failed_obligations') }}
    where {{ rows_to_count() }}
) as debts
left join {{ ref('stg_policy_versions') }} as policies
    on debts.policy_version_id = policies.policy_version_id
group by
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    policy_version_id,
    policy_name,
    policy_version
