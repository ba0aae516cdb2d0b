{{ config(
    partition_by='toYYYYMM(opened_on)',
    order_by='(org_id, opened_on, obligation_id, attempt_id)',
    indexes=[
        {'name': 'attempt_id_bloom', 'definition': 'attempt_id type bloom_filter'},
        {'name': 'day_minmax', 'definition': 'day type minmax'},
    ],
    post_hook=["{{ log_days() }}", "{{ note_position(['int_changed_rows']) }}"]
) }}
-- One row per try that was made: the how-manieth of its debt, after how many failures, when on the
-- payer's own clock, and how it ended. Tries of superseded debts belong to the debt merged into.
--
-- Rows are found by key, so FINAL sees all their versions. A try that a changed debt had once, and
-- that another one has now, falls out at the join with the debts.
with debts as (
    select
        org_id,
        id,
        payer_country
    from {{ source('tinko', 'obligations') }} final
    prewhere (org_id, id) in (select org_id, obligation_id from {{ ref('int_changed_debts') }})
    where state != 'superseded'
),

zones as (
    select
        debts.id as debt_id,
        multiIf(
            countries.timezone != '', cast(countries.timezone as String),
            organisations.timezone != '', cast(organisations.timezone as String),
            'UTC'
        ) as timezone
    from debts
    left join {{ books('country_timezones') }} as countries on debts.payer_country = countries.country
    left join {{ ref('stg_organisations') }} as organisations
        on debts.org_id = organisations.org_id
),

failed as (
    select
        attempt_id as failed_id,
        category as found_category,
        retry_advice,
        hard,
        code,
        reason,
        network_decline_code,
        network_advice_code,
        decided_by,
        failed_at
    from {{ source('tinko', 'failures') }} final
    prewhere {{ of_changed_debts_rows('attempts', 'attempt_id') }}
),

tries as (
    select
        org_id,
        obligation_id,
        id as attempt_id,
        connection_id,
        psp,
        currency,
        actor,
        state,
        method,
        network,
        amount_minor,
        coalesce(submitted_at, occurred_at, created_at) as tried_at,
        coalesce(finished_at, occurred_at, created_at) as ended_at
    from {{ source('tinko', 'attempts') }} final
    prewhere {{ of_changed_debts_rows('attempts') }}
    where state not in {{ not_made() }}
),

joined as (
    select
        tries.*,
        zones.timezone as timezone,
        failed.* except (failed_id, found_category, failed_at),
        -- a join that finds nothing gives defaults and not nulls: no category is ''
        multiIf(
            tries.state != 'failed', '',
            failed.found_category = '', 'unclassified',
            cast(failed.found_category as String)
        ) as failure_category,
        if(failed.found_category = '', tries.ended_at, failed.failed_at) as failed_at
    from tries
    inner join zones on tries.obligation_id = zones.debt_id
    left join failed on tries.attempt_id = failed.failed_id
),

counted as (
    select
        *,
        row_number() over in_order as number,
        countIf(state = 'failed') over (
            partition by obligation_id
            order by tried_at, toString(attempt_id)
            rows between unbounded preceding and 1 preceding
        ) as failures_before,
        argMinIf(failure_category, tuple(failed_at, toString(attempt_id)), state = 'failed')
            over (partition by obligation_id) as category
    from joined
    window in_order as (
        partition by obligation_id
        order by tried_at, toString(attempt_id)
    )
),

local as (
    select
        counted.*,
        counted.tried_at + toIntervalSecond(offsets.offset_seconds) as payer_at
    from counted
    asof left join (
        select
            cast(timezone as String) as zone,
            toDateTime64(since, 6, 'UTC') as since,
            offset_seconds
        from {{ books('utc_offsets') }}
    ) as offsets
        on counted.timezone = offsets.zone and counted.tried_at >= offsets.since
)

select
    org_id,
    toDate(UUIDv7ToDateTime(obligation_id, 'UTC')) as opened_on,
    obligation_id,
    attempt_id,
    connection_id,
    psp,
    currency,
    toDate(tried_at, 'UTC') as day,
    tried_at,
    ended_at,
    toUInt16(number) as number,
    toUInt16(failures_before) as failures_before,
    actor,
    state,
    method,
    network,
    amount_minor,
    cast(category as LowCardinality(String)) as category,
    cast(failure_category as LowCardinality(String)) as failure_category,
    failed_at,
    retry_advice,
    hard,
    code,
    reason,
    network_decline_code,
    network_advice_code,
    decided_by,
    toUInt8(toDayOfWeek(payer_at)) as payer_weekday,
    toUInt8(toHour(payer_at)) as payer_hour
from local
