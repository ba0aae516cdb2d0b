{{ config(
    materialized='table',
    engine='MergeTree()',
    order_by='(org_id, opened_on, obligation_id)',
    post_hook=["{{ note_position() }}"]
) }}
-- Debts of which anything changed since the facts were built, whatever it was. A row that left
-- Postgres left no more than its key, so its debt is looked up in the facts.
{% set changed = changed_since(facts()) %}
{% set tries = built_table('int_attempts') %}
{% set debts = built_table('int_failed_obligations') %}
select distinct
    touched.org_id as org_id,
    toDate(UUIDv7ToDateTime(touched.obligation_id, 'UTC')) as opened_on,
    touched.obligation_id as obligation_id
from (
    select
        org_id,
        id as obligation_id
    from {{ source('tinko', 'obligations') }}
    where {{ changed }}
    union all
    select
        org_id,
        assumeNotNull(superseded_by) as obligation_id
    from {{ source('tinko', 'obligations') }}
    where {{ changed }} and superseded_by is not null
    {% for relation in ['attempts', 'failures', 'cases', 'decisions', 'outbox'] %}
        union all
        select
            org_id,
            obligation_id
        from {{ source('tinko', relation) }}
        where {{ changed }} and is_deleted = 0
    {% endfor %}
    union all
    select
        org_id,
        obligation_id
    from {{ source('tinko', 'outbox') }}
    where (org_id, id) in (
        select
            org_id,
            outbox_id
        from {{ source('tinko', 'notification_deliveries') }}
        where {{ changed }}
    )
    {% if tries %}
        union all
        select
            org_id,
            obligation_id
        from {{ tries }}
        where attempt_id in (
            select id from {{ source('tinko', 'attempts') }}
            where {{ changed }} and is_deleted = 1
            union all
            select attempt_id from {{ source('tinko', 'failures') }}
            where {{ changed }} and is_deleted = 1
        )
    {% endif %}
    {% if debts %}
        union all
        select
            org_id,
            obligation_id
        from {{ debts }}
        where case_id in (
            select id from {{ source('tinko', 'cases') }}
            where {{ changed }} and is_deleted = 1
        )
    {% endif %}
) as touched
