{# Generic tests. Each looks at what the build has just touched: the rest passed when it was built. #}

{% macro changed_in_build() -%}
    row_version >= (
        select max(position) from {{ books('builds') }} where build < {{ current_build() }}
    )
{%- endmacro %}

{# Days of a mart that this build has counted again. #}
{% macro counted_in_build(counts) -%}
    (org_id, day) in ({{ reopened('org_id, day', counts, current_build() ~ ' - 1') }})
{%- endmacro %}

{# Together, `columns` name one row of a mart of what `counts` holds. Their hash is grouped, not
   themselves: there are many of them, and 128 bits do not meet by chance. #}
{% test is_key(model, columns, counts) %}
select
    sipHash128({{ columns | join(', ') }}) as key,
    count() as found
from {{ model }}
where {{ counted_in_build(counts) }}
group by key
having found > 1
{% endtest %}

{# What this build counted again comes to what the fact holds, per organisation and currency: each
   sum of a column of the mart is the expression that `sums` says it is over the fact's rows, of
   which the mart counts those that are `counted`. #}
{% test equals_its_fact(model, counts, sums, counted='1') %}
with expected as (
    select
        org_id,
        currency,
        tuple({% for said in sums.values() %}toInt64({{ said }}){{ ', ' if not loop.last }}{% endfor %}) as measured
    from {{ ref(counts) }} as facts
    where {{ on_reopened_days(counts, current_build() ~ ' - 1') }} and {{ counted }}
    group by org_id, currency
),

found as (
    select
        org_id,
        currency,
        tuple({% for column in sums %}toInt64(sum({{ column }})){{ ', ' if not loop.last }}{% endfor %}) as measured
    from {{ model }}
    where {{ counted_in_build(counts) }}
    group by org_id, currency
)

select
    expected.org_id as org_id,
    expected.currency as currency,
    expected.measured as expected_measures,
    found.measured as found_measures
from expected
full outer join found on expected.org_id = found.org_id and expected.currency = found.currency
where expected.measured != found.measured
{% endtest %}

{# `column_name` names one row of a fact. #}
{% test is_unique(model, column_name) %}
select
    {{ column_name }},
    count() as found
from {{ model }}
where {{ of_changed_debts() }}
group by {{ column_name }}
having found > 1
{% endtest %}

{# A word that PSPs and Postgres use and we know. Asked of the relation and not of the staging view,
   which would read all of it to find the newest versions. #}
{% test is_one_of(model, column_name, relation, values) %}
select
    {{ column_name }},
    count() as found
from {{ source('tinko', relation) }}
where
    {{ changed_in_build() }}
    and is_deleted = 0
    and {{ column_name }} not in ('{{ values | join("', '") }}')
group by {{ column_name }}
{% endtest %}

{# Every failure in the mart has a category that we know, or none yet: another run classifies it, and
   the sink may carry it before. #}
{% test is_classified(model, column_name, values) %}
select
    {{ column_name }},
    sum(failed) as found
from {{ model }}
where
    {{ counted_in_build('int_failed_obligations') }}
    and {{ column_name }} not in ('{{ values | join("', '") }}')
group by {{ column_name }}
{% endtest %}
