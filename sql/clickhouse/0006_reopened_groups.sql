-- What the marts count again is asked org by org and day by day, and of each such day, on which
-- debts' days its rows lie: a row per place for ever, renewed by every build that touches it.
drop table if exists tinko.reopened_days;

create table if not exists tinko.reopened_days (
    model LowCardinality(String) comment 'Model whose rows changed',
    org_id UUID comment 'Organisation of those rows',
    day Date comment 'Day (UTC) of a row before or after the change',
    opened_on Date comment 'Day (UTC) of the debt of such a row: the facts are sorted by it',
    build UInt64 comment 'Last build that changed any of them'
)
engine = ReplacingMergeTree(build)
order by (model, org_id, day, opened_on)
comment 'Days of organisations that the marts have to count again, and where their rows are';

-- dbt makes all that it builds anew, in other partitions and from the first change on
truncate table if exists tinko.build_positions;

drop table if exists tinko.int_attempts;

drop table if exists tinko.int_failed_obligations;

drop table if exists tinko.int_messages;

drop table if exists tinko.recovery_daily;

drop table if exists tinko.recovery_by_attempt;

drop table if exists tinko.recovery_by_hour;

drop table if exists tinko.decline_codes;

drop table if exists tinko.recovery_cohorts;

drop table if exists tinko.policy_effect;

drop table if exists tinko.rule_effect;

drop table if exists tinko.channel_performance;

drop table if exists tinko.at_risk;

drop table if exists tinko.settlement_daily;

drop table if exists tinko.payouts_daily;
