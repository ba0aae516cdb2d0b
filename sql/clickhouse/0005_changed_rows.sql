-- a build of the marts asks what changed since the last one
alter table tinko.obligations add index if not exists row_version_minmax row_version type minmax;

alter table tinko.attempts add index if not exists row_version_minmax row_version type minmax;

alter table tinko.failures add index if not exists row_version_minmax row_version type minmax;

alter table tinko.cases add index if not exists row_version_minmax row_version type minmax;

alter table tinko.decisions add index if not exists row_version_minmax row_version type minmax;

alter table tinko.outbox add index if not exists row_version_minmax row_version type minmax;

alter table tinko.notification_deliveries add index if not exists row_version_minmax row_version type minmax;

alter table tinko.settlement_lines add index if not exists row_version_minmax row_version type minmax;

alter table tinko.payouts add index if not exists row_version_minmax row_version type minmax;
