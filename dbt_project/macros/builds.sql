{# How models are built from what changed, and not anew.

   A build takes the debts that changed below a position of the sink (int_changed_debts). The facts
   forget those debts and take them in again as they now stand; each logs the days its rows stood
   on before and stand on now. A mart then counts the weeks of those days again and swaps them in,
   a partition at a time. Every model notes how far it has come only after it is done, so a build
   that was cut off is taken up by the next one. Tables: sql/clickhouse/0004_carried.sql. #}

{% macro facts() %}{{ return(['int_attempts', 'int_failed_obligations', 'int_messages']) }}{% endmacro %}

{% macro books(table) %}{{ target.schema }}.{{ table }}{% endmacro %}

{# Lowest position that all of `models` have come to; 0 where one was never built. #}
{% macro built_to(models) -%}
    {%- if flags.FULL_REFRESH -%}
        toUInt64(0)
    {%- else -%}
        (
            select if(count() < {{ models | length }}, 0, min(latest.position))
            from (
                select model, argMax(position, build) as position
                from {{ books('build_positions') }}
                where model in ('{{ models | join("', '") }}')
                group by model
            ) as latest
        )
    {%- endif -%}
{%- endmacro %}

{% macro current_build() %}(select max(build) from {{ books('builds') }}){% endmacro %}

{% macro current_position() %}(select argMax(position, build) from {{ books('builds') }}){% endmacro %}

{# Run at the start of dbt: a new build takes what the sink has carried, though no more than
   `rows_per_build` changes of a relation, so that a long history is taken in pieces. #}
{% macro start_build() %}
{% if execute and flags.WHICH in ('build', 'run') %}
insert into {{ books('builds') }} (build, position)
with
    {{ built_to(facts()) }} as low,
    (select min(position) from {{ target.schema }}.sink_positions final) as carried,
    least(
        carried
        {%- for relation in ['obligations', 'attempts', 'failures', 'cases', 'decisions', 'outbox'] %},
        coalesce((
            select row_version from {{ target.schema }}.{{ relation }}
            where row_version >= low
            order by row_version
            limit 1 offset {{ var('rows_per_build') }}
        ), carried)
        {%- endfor %}
    ) as piece
select 1 + {{ current_build() }}, least(carried, greatest(piece, low + 1))
{% endif %}
{% endmacro %}

{# Rows of a relation that changed since `models` were built. #}
{% macro changed_since(models) -%}
    row_version >= {{ built_to(models) }} and row_version < {{ current_position() }}
{%- endmacro %}

{# Note that this model has come as far as what it is made of. #}
{% macro note_position(made_of=none) %}
insert into {{ books('build_positions') }} (model, position, build)
select
    '{{ this.name }}',
    {{ built_to(made_of) if made_of else current_position() }},
    {{ current_build() }}
{% endmacro %}

{# Hooks of a fact: before, log the days of what is about to go, and let it go; after, log the days
   of what came. Where there is no table yet, there is nothing to forget. #}
{% macro of_changed_debts() -%}
    (org_id, opened_on, obligation_id) in (
        select org_id, opened_on, obligation_id from {{ ref('int_changed_debts') }}
    )
{%- endmacro %}

{% macro log_days() %}
insert into {{ books('reopened_days') }} (model, build, day)
select distinct '{{ this.name }}', {{ current_build() }}, day from {{ this }}
where {{ of_changed_debts() }}
{% endmacro %}

{% macro log_days_before() %}{% if is_incremental() %}{{ log_days() }}{% endif %}{% endmacro %}

{% macro forget_changed_debts() %}
{% if is_incremental() %}delete from {{ this }} where {{ of_changed_debts() }}{% endif %}
{% endmacro %}

{# The hook of a mart that counts a relation itself, by a day that its rows never change. #}
{% macro log_changed_days(relation) %}
insert into {{ books('reopened_days') }} (model, build, day)
select distinct '{{ this.name }}', {{ current_build() }}, toDate(created_at, 'UTC')
from {{ target.schema }}.{{ relation }}
where {{ changed_since([this.name]) }}
{% endmacro %}

{# Weeks (their Mondays) that a mart has to count again, since the fact it counts has changed. #}
{% macro reopened_weeks() -%}
    select distinct toMonday(day) as week from {{ books('reopened_days') }}
    where model = '{{ model.config.meta.counts }}' and build > (
        select max(build) from {{ books('build_positions') }} where model = '{{ this.name }}'
    )
{%- endmacro %}

{% macro in_reopened_weeks() -%}
    {%- if is_incremental() %}toMonday(day) in ({{ reopened_weeks() }}){% else %}1{% endif -%}
{%- endmacro %}

{# Takes the place of dbt-clickhouse's own: a week in which nothing is left is emptied too, which
   the adapter, going by what the new rows hold, would leave as it was. #}
{% macro clickhouse__incremental_insert_overwrite(existing_relation, partition_by, is_distributed=False) %}
    {% set counted = existing_relation.incorporate(path={
        "identifier": existing_relation.identifier ~ '__dbt_new_data_' ~ invocation_id.replace('-', '_')
    }) %}
    {% set weeks = run_query(
        "select toString(toYYYYMMDD(week)) from (" ~ reopened_weeks() ~ ")"
    ).rows %}
    {% if weeks %}
        {{ drop_relation_if_exists(counted) }}
        {% call statement('main') %}
            {{ get_create_table_as_sql(False, counted, sql) }}
        {% endcall %}
        {% call statement('replace_partitions') %}
            alter table {{ existing_relation }}
            {%- for week in weeks %}
                replace partition id '{{ week[0] }}' from {{ counted }}{{ ', ' if not loop.last }}
            {%- endfor %}
            {%- if adapter.is_at_or_after_version('26.6') %}
                settings allow_replace_partition_from_empty_source = 1
            {%- endif %}
        {% endcall %}
        {% do adapter.drop_relation(counted) %}
    {% else %}
        {% call statement('main') %}select 1{% endcall %}
    {% endif %}
{% endmacro %}
