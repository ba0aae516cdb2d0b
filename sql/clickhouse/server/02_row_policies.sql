-- Row policies: each organisation's analysts see its rows. `getSetting` raises where the setting is
-- missing, so a user that was made without one sees an error and no row. Views read their tables as
-- whoever asks (SQL SECURITY INVOKER), so the staging views need no policy of their own.

create row policy if not exists everything
on tinko.obligations, tinko.attempts, tinko.failures, tinko.cases,
tinko.int_failed_obligations, tinko.recovery_daily
for select using 1 to tinko_writer, tinko_analyst;

create row policy if not exists own_organisation
on tinko.obligations, tinko.attempts, tinko.failures, tinko.cases,
tinko.int_failed_obligations, tinko.recovery_daily
for select using org_id = toUUID(getSetting('SQL_tinko_org')) to tinko_org_analyst;
