{# The house's definitions in SQL, each in one place; models/definitions.md says them in words. #}

{# What a case came to: recovered, lost, or active while it is neither. '' is no case yet. #}
{% macro outcome(state) -%}
    multiIf(
        cast({{ state }} as String) in ('recovered', 'settled'), 'recovered',
        cast({{ state }} as String) in ('exhausted', 'cancelled', 'reversed'), 'lost',
        'active'
    )
{%- endmacro %}

{# Tries that were never made. #}
{% macro not_made() %}('scheduled', 'claimed', 'cancelled', 'not_sent'){% endmacro %}

{# What every mart of debts and tries can be filtered by. #}
{% macro dimensions() %}org_id, day, connection_id, psp, method, category, currency{% endmacro %}
