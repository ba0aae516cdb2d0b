-- Users, as clickhouse-client takes them with --param_name=value. Passwords are given as the hex of
-- their SHA-256 and never in clear.

create user if not exists tinko_writer
identified with sha256_hash by {writer_sha256:String} default role tinko_writer;

grant tinko_writer to tinko_writer;

create user if not exists tinko_reader
identified with sha256_hash by {reader_sha256:String} default role tinko_analyst;

grant tinko_analyst to tinko_reader;

-- One per organisation: copy these two with its own name and id. The setting is fixed: a session
-- cannot choose another organisation.
create user if not exists tinko_org_example
identified with sha256_hash by {org_sha256:String}
default role tinko_org_analyst
settings SQL_tinko_org = '00000000-0000-0000-0000-000000000000' const;

grant tinko_org_analyst to tinko_org_example;
