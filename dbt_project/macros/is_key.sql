{# Generic test: together, `columns` name one row. #}
{% test is_key(model, columns) %}
select
    {{ columns | join(', ') }},
    count() as found
from {{ model }}
group by {{ columns | join(', ') }}
having found > 1
{% endtest %}
