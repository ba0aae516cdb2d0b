-- What the marts need beside the ledger: decisions, messages, settlement, and the names of things.
-- As in 0002: one row per row of Postgres, the highest row_version is current, words are '' where
-- absent, money is integer minor units of the row's currency.

alter table tinko.obligations add column if not exists payer_country LowCardinality(String) after currency;

alter table tinko.obligations
comment column payer_country 'Country the payer lives in, ISO 3166-1 alpha-2; empty where not said';

create table if not exists tinko.decisions (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'Decision: the answer of policy, rules and guards for a case at an instant',
    case_id UUID comment 'Case it was made for',
    obligation_id UUID comment 'Debt of that case',
    policy_version_id UUID comment 'Policy version it was made by',
    action LowCardinality(String) comment 'retry, ask_payer, wait, watch or stop',
    reason LowCardinality(String) comment 'Code of the deciding reason; empty where none was given',
    rule String comment 'Rule that fired, as its id and version: id:v2; empty where none did',
    channel LowCardinality(String) comment 'Channel the payer was to be asked on; empty where not',
    act_at Nullable(DateTime64(6, 'UTC')) comment 'Business time it was to be acted on',
    decided_at DateTime64(6, 'UTC') comment 'Business time it was made',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(UUIDv7ToDateTime(id, 'UTC'))
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Decisions, one per row of decisions in Postgres';

create table if not exists tinko.outbox (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'Message to a payer',
    case_id UUID comment 'Case it was written for',
    obligation_id UUID comment 'Debt it asks for',
    message LowCardinality(String) comment 'Template it was written from',
    channel LowCardinality(String) comment 'email or sms',
    language LowCardinality(String) comment 'Language it was written in, ISO 639-1',
    state LowCardinality(String) comment 'pending, sending, sent, failed or cancelled',
    tries Int32 comment 'How often sending was tried',
    due_at DateTime64(6, 'UTC') comment 'Business time it was to be sent',
    sent_at Nullable(DateTime64(6, 'UTC')) comment 'Business time it was sent',
    created_at DateTime64(6, 'UTC') comment 'Business time it was written',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(UUIDv7ToDateTime(id, 'UTC'))
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Messages to payers without their text and recipient, one per row of outbox in Postgres';

create table if not exists tinko.notification_deliveries (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'One try to deliver a message',
    outbox_id UUID comment 'Message it was to deliver',
    channel LowCardinality(String) comment 'email or sms',
    result LowCardinality(String) comment 'accepted, refused or unreachable',
    at DateTime64(6, 'UTC') comment 'Business time of the try',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(UUIDv7ToDateTime(id, 'UTC'))
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Tries to deliver messages, one per row of notification_deliveries in Postgres';

create table if not exists tinko.settlement_lines (
    org_id UUID comment 'Organisation the row belongs to',
    id String comment 'Movement of the merchant''s balance: connection/line id at the PSP',
    connection_id UUID comment 'Merchant account at the PSP',
    psp LowCardinality(String) comment 'stripe or razorpay',
    kind LowCardinality(String) comment 'What moved the balance: payment, refund, dispute, fee and so on',
    source_id String comment 'Payment, refund, dispute or payout it is about; empty where not said',
    payment_id String comment 'Payment behind that; empty where not said',
    payout_id String comment 'Payout it is part of; empty until it is paid out',
    payout_status LowCardinality(String)
    comment 'pending, paid, failed or cancelled; empty until it is paid out',
    gross_minor Int64 comment 'What was moved before fees, in minor units of currency; out is negative',
    fee_minor Int64 comment 'All that the PSP keeps of it, tax included, in minor units of currency',
    tax_minor Int64 comment 'The part of the fee that is tax, in minor units of currency',
    net_minor Int64 comment 'gross less fee, in minor units of currency',
    currency LowCardinality(String) comment 'Currency of the balance, ISO 4217, upper case',
    on_hold Bool comment 'The PSP holds it back',
    created_at DateTime64(6, 'UTC') comment 'When the PSP says the balance moved',
    settled_at Nullable(DateTime64(6, 'UTC')) comment 'When it was paid out; null until then',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(created_at)
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Settlement lines, one per row of settlement_lines in Postgres';

create table if not exists tinko.payouts (
    org_id UUID comment 'Organisation the row belongs to',
    id String comment 'Transfer to the merchant''s bank: connection/payout id at the PSP',
    connection_id UUID comment 'Merchant account at the PSP',
    psp LowCardinality(String) comment 'stripe or razorpay',
    status LowCardinality(String) comment 'pending, paid, failed or cancelled',
    amount_minor Int64 comment 'Transferred, in minor units of currency',
    currency LowCardinality(String) comment 'ISO 4217, upper case',
    itemised Bool comment 'The PSP lists the lines it is made of',
    created_at DateTime64(6, 'UTC') comment 'When the PSP says it was made',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(created_at)
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Payouts, one per row of payouts in Postgres';

create table if not exists tinko.policy_versions (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'Policy version: how an organisation wants to retry, as of a time',
    name String comment 'Name of the policy',
    version Int32 comment 'Number of the version, from 1',
    created_at DateTime64(6, 'UTC') comment 'Business time it was made',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Policy versions, one per row of policy_versions in Postgres';

create table if not exists tinko.rule_versions (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'Version of a rule',
    rule_id UUID comment 'The rule',
    version Int32 comment 'Number of the version, from 1',
    name String comment 'Name of the rule in this version',
    deleted Bool comment 'This version takes the rule out of force',
    created_at DateTime64(6, 'UTC') comment 'Business time it was made',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Versions of rules, one per row of rule_versions in Postgres';

create table if not exists tinko.organisations (
    org_id UUID comment 'Organisation',
    slug String comment 'Its short name',
    name String comment 'Its name',
    timezone LowCardinality(String) comment 'Its time zone, an IANA name',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
order by org_id
settings non_replicated_deduplication_window = 10000
comment 'Organisations, one per row of organisations in Postgres';

create table if not exists tinko.connections (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'Merchant account at a PSP',
    psp LowCardinality(String) comment 'stripe or razorpay',
    label String comment 'What the merchant calls it',
    livemode Bool comment 'It moves real money',
    status LowCardinality(String) comment 'Whether it is in use',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Connections to PSPs without their credentials, one per row of connections in Postgres';

create table if not exists tinko.country_timezones (
    country LowCardinality(String) comment 'Country that keeps a single time, ISO 3166-1 alpha-2',
    timezone LowCardinality(String) comment 'Its time zone, an IANA name'
)
engine = ReplacingMergeTree
order by country
comment 'Where a payer''s time is known from the country; core/recovery/places.py writes it';

create table if not exists tinko.utc_offsets (
    timezone LowCardinality(String) comment 'Time zone, an IANA name',
    since DateTime('UTC') comment 'From when on',
    offset_seconds Int32 comment 'Seconds that local time is ahead of UTC'
)
engine = ReplacingMergeTree
order by (timezone, since)
comment 'Local time of every zone; the IANA database by way of core/analytics/timezones.py';

-- dbt's own books: its builds, which changes are in which model, and which days those touched
create table if not exists tinko.builds (
    build UInt64 comment 'Number of the build, rising',
    position UInt64 comment 'It takes what Postgres transactions below this one have changed'
)
engine = MergeTree
order by build
comment 'Builds of the marts';

create table if not exists tinko.build_positions (
    model LowCardinality(String) comment 'Model that was built',
    position UInt64 comment 'Every Postgres transaction below this one is in it',
    build UInt64 comment 'Number of the build, rising'
)
engine = MergeTree
order by (model, build)
comment 'How far each model of dbt has come; the row of the highest build counts';

create table if not exists tinko.reopened_days (
    model LowCardinality(String) comment 'Model whose rows changed',
    build UInt64 comment 'Build that changed them',
    day Date comment 'Day (UTC) of a row before or after the change'
)
engine = MergeTree
order by (model, build, day)
comment 'Days that the marts have to count again';

-- dbt makes these anew: from here on they are built from what changed
drop table if exists tinko.recovery_daily;

drop table if exists tinko.int_failed_obligations;
