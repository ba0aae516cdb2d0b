-- Row policies: each organisation's analysts see its rows. `getSetting` raises where the setting is
-- missing, so a user that was made without one sees an error and no row. Views read their tables as
-- whoever asks (SQL SECURITY INVOKER), so the staging views need no policy of their own. Tables
-- that speak of no organisation (sink_positions, builds, utc_offsets and so on) have none.
-- A test holds this list against the tables and models that there are.

create row policy if not exists everything
on
tinko.obligations, tinko.attempts, tinko.failures, tinko.cases, tinko.decisions, tinko.outbox,
tinko.notification_deliveries, tinko.settlement_lines, tinko.payouts, tinko.policy_versions,
tinko.rule_versions, tinko.organisations, tinko.connections,
tinko.int_attempts, tinko.int_changed_debts, tinko.int_changed_rows, tinko.int_failed_obligations,
tinko.int_messages,
tinko.at_risk, tinko.channel_performance, tinko.decline_codes, tinko.payouts_daily,
tinko.policy_effect, tinko.recovery_by_attempt, tinko.recovery_by_hour, tinko.recovery_cohorts,
tinko.recovery_daily, tinko.rule_effect, tinko.settlement_daily, tinko.reopened_days
for select using 1 to tinko_writer, tinko_analyst;

create row policy if not exists own_organisation
on
tinko.obligations, tinko.attempts, tinko.failures, tinko.cases, tinko.decisions, tinko.outbox,
tinko.notification_deliveries, tinko.settlement_lines, tinko.payouts, tinko.policy_versions,
tinko.rule_versions, tinko.organisations, tinko.connections,
tinko.int_attempts, tinko.int_changed_debts, tinko.int_changed_rows, tinko.int_failed_obligations,
tinko.int_messages,
tinko.at_risk, tinko.channel_performance, tinko.decline_codes, tinko.payouts_daily,
tinko.policy_effect, tinko.recovery_by_attempt, tinko.recovery_by_hour, tinko.recovery_cohorts,
tinko.recovery_daily, tinko.rule_effect, tinko.settlement_daily, tinko.reopened_days
for select using org_id = toUUID(getSetting('SQL_tinko_org')) to tinko_org_analyst;
