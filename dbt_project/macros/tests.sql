{# Generic tests. Each looks at what the build has just touched: the rest passed when it was built. #}

{% macro changed_in_build() -%}
    row_version >= (
        select max(position) from {{ books('builds') }} where build < {{ current_build() }}
    )
{%- endmacro %}

{% macro reopened_in_build(counts) -%}
    toMonday(day) in (
        select toMonday(day) from {{ books('reopened_days') }}
        where model = '{{ counts }}' and build = {{ current_build() }}
    )
{%- endmacro %}

{# Together, `columns` name one row of a mart of what `counts` holds. #}
{% test is_key(model, columns, counts) %}
select
    {{ columns | join(', ') }},
    count() as found
from {{ model }}
where {{ reopened_in_build(counts) }}
group by {{ columns | join(', ') }}
having found > 1
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

{# Every failure in the mart has a category that we know. #}
{% test is_classified(model, column_name, values) %}
select
    {{ column_name }},
    sum(failed) as found
from {{ model }}
where
    {{ reopened_in_build('int_failed_obligations') }}
    and {{ column_name }} not in ('{{ values | join("', '") }}')
group by {{ column_name }}
{% endtest %}
