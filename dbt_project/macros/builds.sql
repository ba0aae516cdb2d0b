{# How models are built from what changed, and not anew.

   A build takes the debts that changed below a position of the sink (int_changed_debts). The facts
   forget those debts and take them in again as they now stand; each logs the days, organisation by
   organisation, that its rows stood on before and stand on now. A mart then counts those days
   again and swaps them in, a partition at a time. Every model notes how far it has come only after
   it is done, so a build that was cut off is taken up by the next one. Tables:
   sql/clickhouse/0004_carried.sql and 0006_reopened_groups.sql. #}

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

{# Rows of `relation` that speak of the changed debts, or did before; `key` is the column of their id. #}
{% macro of_changed_debts_rows(relation, key='id') -%}
    (org_id, {{ key }}) in (
        select org_id, id from {{ ref('int_changed_rows') }} where relation = '{{ relation }}'
    )
{%- endmacro %}

{% macro log_days() %}
insert into {{ books('reopened_days') }} (model, org_id, day, opened_on, build)
select distinct '{{ this.name }}', org_id, day, opened_on, {{ current_build() }} from {{ this }}
where {{ of_changed_debts() }}
{% endmacro %}

{% macro log_days_before() %}{% if is_incremental() %}{{ log_days() }}{% endif %}{% endmacro %}

{% macro forget_changed_debts() %}
{% if is_incremental() %}delete from {{ this }} where {{ of_changed_debts() }}{% endif %}
{% endmacro %}

{# The hook of a mart that counts a relation itself, by a day that its rows never change. #}
{% macro log_changed_days(relation) %}
insert into {{ books('reopened_days') }} (model, org_id, day, opened_on, build)
select distinct '{{ this.name }}', org_id, toDate(created_at, 'UTC') as day, day, {{ current_build() }}
from {{ target.schema }}.{{ relation }}
where {{ changed_since([this.name]) }}
{% endmacro %}

{# Days of organisations that changed in `counts` since what `since` says. A row of an earlier build
   that the table has not merged away yet is none of them, so it need not be read with FINAL. #}
{% macro reopened(columns, counts, since) -%}
    select distinct {{ columns }} from {{ books('reopened_days') }}
    where model = '{{ counts }}' and build > {{ since }}
{%- endmacro %}

{# The rows of `counts` on those days. Facts are sorted by organisation and the day of the debt,
   so the second condition says where to look. #}
{% macro on_reopened_days(counts, since) -%}
    (org_id, day) in ({{ reopened('org_id, day', counts, since) }})
    and (org_id, opened_on) in (
        select org_id, opened_on from {{ books('reopened_days') }}
        where
            model = '{{ counts }}'
            and (org_id, day) in ({{ reopened('org_id, day', counts, since) }})
    )
{%- endmacro %}

{% macro last_build_of_this() -%}
    (select max(build) from {{ books('build_positions') }} where model = '{{ this.name }}')
{%- endmacro %}

{# What this mart counts again of the fact it counts: all of it when it is made. #}
{% macro rows_to_count() -%}
    {%- if is_incremental() %}
        {{- on_reopened_days(model.config.meta.counts, last_build_of_this()) }}
    {%- else %}1{% endif -%}
{%- endmacro %}

{# The same for a mart that counts a relation itself, by the day of its rows' created_at. Neither
   that nor the organisation ever changes, so all versions of a row pass, or none. #}
{% macro created_to_count() -%}
    {%- if is_incremental() -%}
        (org_id, toDate(created_at, 'UTC')) in (
            {{ reopened('org_id, day', this.name, last_build_of_this()) }}
        )
        and toYYYYMM(created_at) in (
            {{ reopened('toYYYYMM(day)', this.name, last_build_of_this()) }}
        )
    {%- else %}1{% endif -%}
{%- endmacro %}

{# Takes the place of dbt-clickhouse's own, which swaps whole partitions for what it counted. Here a
   twin of the mart takes in its partitions (as links, not copies), forgets the days that are counted
   again, is given them anew, and gives the partitions back: who reads meanwhile sees a day as it
   was or as it is. #}
{% macro clickhouse__incremental_insert_overwrite(existing_relation, partition_by, is_distributed=False) %}
    {% set counts, since = model.config.meta.counts, last_build_of_this() %}
    {% set name = existing_relation.identifier ~ '__twin' %}
    {% set twin = existing_relation.incorporate(path={"identifier": name}) %}
    {% set months = run_query(reopened('toString(toYYYYMM(day))', counts, since)).rows %}
    {% if months %}
        {% do run_query("create or replace table " ~ twin ~ " as " ~ existing_relation) %}
        {% do run_query(take_partitions(existing_relation, twin, months)) %}
        {% call statement('forget') %}
            delete from {{ twin }}
            where (org_id, day) in ({{ reopened('org_id, day', counts, since) }})
        {% endcall %}
        {% call statement('main') %}
            {{ clickhouse__insert_into(twin, sql, false) }}
        {% endcall %}
        {% do run_query(take_partitions(twin, existing_relation, months)) %}
        {% do adapter.drop_relation(twin) %}
    {% else %}
        {% call statement('main') %}select 1{% endcall %}
    {% endif %}
{% endmacro %}

{% macro take_partitions(giver, taker, months) %}
alter table {{ taker }}
{%- for month in months %}
    replace partition id '{{ month[0] }}' from {{ giver }}{{ ', ' if not loop.last }}
{%- endfor %}
{%- if adapter.is_at_or_after_version('26.6') %}
    settings allow_replace_partition_from_empty_source = 1
{%- endif %}
{% endmacro %}
