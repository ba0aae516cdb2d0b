{# Generic tests of what one relation says of another. They look at the rows of the build before:
   a debt that was written again while the sink ran comes with the next run, and is no orphan. #}

{% macro changed_a_build_ago() -%}
    row_version >= (
        select max(position) from {{ books('builds') }} where build < {{ current_build() }} - 1
    )
    and row_version < (
        select max(position) from {{ books('builds') }} where build < {{ current_build() }}
    )
{%- endmacro %}

{# What `column_name` of a row of `relation` names is the `id` of one of `parent`. #}
{% test finds(model, column_name, relation, parent) %}
with children as (
    select {{ column_name }} as named
    from {{ source('tinko', relation) }} final
    prewhere {{ changed_a_build_ago() }}
)

select
    named,
    count() as found
from children
where named not in (
    select id from {{ source('tinko', parent) }} final
    prewhere id in (select named from children)
)
group by named
{% endtest %}

{# An attempt is in the currency of its debt. #}
{% test shares_currency(model, column_name) %}
with tries as (
    select
        id,
        obligation_id,
        {{ column_name }} as currency
    from {{ source('tinko', 'attempts') }} final
    prewhere {{ changed_a_build_ago() }}
)

select
    tries.id,
    tries.currency,
    debts.currency as owed_in
from tries
inner join (
    select
        id,
        currency
    from {{ source('tinko', 'obligations') }} final
    prewhere id in (select obligation_id from tries)
) as debts on tries.obligation_id = debts.id
where tries.currency != debts.currency
{% endtest %}
