{{ config(
    materialized='table',
    engine='MergeTree()',
    order_by='(relation, org_id, id)',
    post_hook=["{{ note_position(['int_changed_debts']) }}"]
) }}
-- Where the changed debts' rows are. The ledger is sorted by its rows' own ids, so its debts are
-- looked for once, here, and then every row is found by its key. Each version of a row is looked at:
-- who reads them by key picks the newest and asks again whose it is.
{% for relation in ['attempts', 'cases', 'decisions', 'outbox'] %}
    select distinct
        cast('{{ relation }}' as LowCardinality(String)) as relation,
        org_id,
        id
    from {{ source('tinko', relation) }}
    where obligation_id in (select obligation_id from {{ ref('int_changed_debts') }})
    {{ 'union all' if not loop.last }}
{% endfor %}
