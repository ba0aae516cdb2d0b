-- The archive on a real ClickHouse server: `tinko archive run` and `tinko archive restore` make the
-- database, the named collection with the bucket's keys and a table per relation, as tinko_writer.

grant create database, create table, drop table, select on archive.* to tinko_writer;

grant create named collection, alter named collection, named collection
on tinko_archive to tinko_writer;

grant s3 on *.* to tinko_writer;

-- readers read tables; the collection and s3() stay out of their reach
grant select on archive.* to tinko_analyst, tinko_org_analyst;

create row policy if not exists everything
on archive.attempts, archive.inbox_events, archive.notification_deliveries
for select using 1 to tinko_writer, tinko_analyst;

create row policy if not exists own_organisation
on archive.attempts, archive.inbox_events, archive.notification_deliveries
for select using org_id = toUUID(getSetting('SQL_tinko_org')) to tinko_org_analyst;
