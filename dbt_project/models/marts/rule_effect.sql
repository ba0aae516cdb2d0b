{{ config(
    order_by='(org_id, day, connection_id, psp, method, category, currency, rule, rule_name, rule_version)',
    meta={'counts': 'int_failed_obligations'},
    post_hook=["{{ note_position(['int_failed_obligations']) }}"]
) }}
-- What failed on a day and what became of it, by the rules that fired on its case. A debt on which
-- two rules fired is counted under both: never add rules up.
select
    debts.org_id as org_id,
    debts.day as day,
    debts.connection_id as connection_id,
    debts.psp as psp,
    debts.method as method,
    debts.category as category,
    debts.currency as currency,
    debts.rule as rule,
    rules.rule_name as rule_name,
    rules.rule_version as rule_version,
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
    select
        *,
        arrayJoin(rules) as rule
    from {{ ref('int_failed_obligations') }}
    where {{ rows_to_count() }}
) as debts
left join {{ ref('stg_rule_versions') }} as rules on debts.rule = rules.rule
group by
    org_id,
    day,
    connection_id,
    psp,
    method,
    category,
    currency,
    rule,
    rule_name,
    rule_version
