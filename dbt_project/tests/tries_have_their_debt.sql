{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'int_attempts'}}}) }}
-- What the build took in of tries finds its debt; where Postgres wrote the debt again while the
-- sink was at work, the next run carries it.
select distinct obligation_id
from {{ source('tinko', 'attempts') }}
where
    {{ changed_in_build() }}
    and row_version < {{ current_position() }}
    and is_deleted = 0
    and obligation_id not in (
        select id from {{ source('tinko', 'obligations') }}
        where id in (select obligation_id from {{ ref('int_changed_debts') }})
    )
