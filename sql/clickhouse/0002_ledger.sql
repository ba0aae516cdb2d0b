-- The ledger as the sink carries it: one row per row of Postgres, replaced when that row changes.
--
-- Read these with FINAL (dbt's staging views do): until parts merge, older versions stand beside
-- newer ones. Partitions go by the month inside the UUIDv7, which never changes, so all versions
-- of a row meet in one partition. Absent words are '' and not null. Money is integer minor units
-- of the row's currency. Payers' names, addresses and numbers are not carried.
-- `non_replicated_deduplication_window` makes a replayed batch (same token) a no-op.

create table if not exists tinko.obligations (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'Obligation: what a payer owes once',
    connection_id UUID comment 'Merchant account at the PSP',
    psp LowCardinality(String) comment 'stripe or razorpay',
    state LowCardinality(String) comment 'open, partially_paid, paid, void, uncollectible or superseded',
    due_minor Int64 comment 'Owed, in minor units of currency',
    paid_minor Int64 comment 'Captured so far, in minor units of currency',
    refunded_minor Int64 comment 'Given back so far, in minor units of currency',
    currency LowCardinality(String) comment 'ISO 4217, upper case',
    psp_retries Nullable(Bool) comment 'The PSP collects this debt again by itself',
    has_mandate Nullable(Bool) comment 'A stored instrument may be charged; null where the PSP has not said',
    cycle_end Nullable(DateTime64(6, 'UTC')) comment 'End of the subscription cycle the debt is of',
    superseded_by Nullable(UUID) comment 'Obligation this one was merged into',
    created_at DateTime64(6, 'UTC') comment 'Business time the debt came to be',
    updated_at DateTime64(6, 'UTC') comment 'Business time of the last change',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(UUIDv7ToDateTime(id, 'UTC'))
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Debts, one per row of obligations in Postgres';

create table if not exists tinko.attempts (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'Attempt: one try to collect, whoever made it',
    connection_id UUID comment 'Merchant account at the PSP',
    psp LowCardinality(String) comment 'stripe or razorpay',
    obligation_id UUID comment 'Debt this try was to collect',
    case_id Nullable(UUID) comment 'Recovery case it was made for; null for tries that are not ours',
    actor LowCardinality(String) comment 'merchant, psp, tinko or payer',
    state LowCardinality(String)
    comment 'How the try stands: scheduled, claimed, submitted, succeeded, failed, pending and so on',
    psp_payment_id String comment 'Charge or payment id at the PSP; empty until it is known',
    amount_minor Int64 comment 'Asked for, in minor units of currency',
    refunded_minor Int64 comment 'Given back of it, in minor units of currency',
    currency LowCardinality(String) comment 'ISO 4217, upper case',
    method LowCardinality(String) comment 'card, upi, emandate, netbanking, wallet or unknown',
    network LowCardinality(String) comment 'Card network; empty where there is none or the PSP has not said',
    country LowCardinality(String)
    comment 'Country of the instrument''s issuer, ISO 3166-1 alpha-2; empty where not said',
    payer_present Bool comment 'A person was there to authenticate',
    disputed Bool comment 'The payer disputed it',
    decision_id Nullable(UUID) comment 'Decision that scheduled it; null for tries that are not ours',
    scheduled_at Nullable(DateTime64(6, 'UTC')) comment 'Business time it was to be made',
    submitted_at Nullable(DateTime64(6, 'UTC')) comment 'Business time we sent it',
    occurred_at Nullable(DateTime64(6, 'UTC')) comment 'When the PSP says it was made',
    finished_at Nullable(DateTime64(6, 'UTC')) comment 'Business time its outcome was final',
    created_at DateTime64(6, 'UTC') comment 'Business time the row came to be',
    updated_at DateTime64(6, 'UTC') comment 'Business time of the last change',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(UUIDv7ToDateTime(id, 'UTC'))
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Tries to collect, one per row of attempts in Postgres: everyone''s, in one ledger';

create table if not exists tinko.failures (
    org_id UUID comment 'Organisation the row belongs to',
    attempt_id UUID comment 'Failed attempt this classifies',
    obligation_id UUID comment 'Debt it was to collect',
    case_id Nullable(UUID) comment 'Case it led to or fell into; null until there is one',
    psp LowCardinality(String) comment 'stripe or razorpay',
    category LowCardinality(String) comment 'What kind of failure it was, in our words',
    retry_advice LowCardinality(String) comment 'never, timed, cautious, payer_action or poll',
    hard Bool comment 'The instrument will not work again',
    who_acts LowCardinality(String) comment 'Who can put it right',
    confidence Float64 comment 'How sure the classification is, 0 to 1',
    late_authorisation Bool comment 'The payment may still succeed days later',
    decided_by LowCardinality(String) comment 'Row of the code tables that decided',
    code LowCardinality(String) comment 'Error or decline code of the PSP; empty where not said',
    reason LowCardinality(String) comment 'Reason of the PSP; empty where not said',
    network LowCardinality(String) comment 'Card network; empty where there is none',
    network_decline_code LowCardinality(String) comment 'Decline code of the network; empty where not said',
    network_advice_code LowCardinality(String) comment 'Advice code of the network; empty where not said',
    failed_at DateTime64(6, 'UTC') comment 'Business time it failed',
    created_at DateTime64(6, 'UTC') comment 'Business time it was classified',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(UUIDv7ToDateTime(attempt_id, 'UTC'))
order by (org_id, attempt_id)
settings non_replicated_deduplication_window = 10000
comment 'Classified failures, one per row of failures in Postgres';

create table if not exists tinko.cases (
    org_id UUID comment 'Organisation the row belongs to',
    id UUID comment 'Case: the recovery of one obligation',
    connection_id UUID comment 'Merchant account at the PSP',
    obligation_id UUID comment 'Debt this case is to recover',
    policy_version_id UUID comment 'Policy version the case is pinned to',
    state LowCardinality(String)
    comment 'open, retrying, awaiting_payer, recovered, settled, exhausted, cancelled, disputed or reversed',
    recovered_by LowCardinality(String) comment 'retry, payer, psp or merchant; empty until recovered',
    recovered_minor Int64 comment 'Recovered, in minor units of currency',
    reversed_minor Int64 comment 'Of that lost again to refunds and disputes, in minor units of currency',
    currency LowCardinality(String) comment 'Currency of the obligation, ISO 4217, upper case',
    close_reason LowCardinality(String) comment 'Why it was closed; empty while it is not',
    opened_at DateTime64(6, 'UTC') comment 'Business time it was opened',
    closed_at Nullable(DateTime64(6, 'UTC')) comment 'Business time it was closed',
    updated_at DateTime64(6, 'UTC') comment 'Business time of the last change',
    row_version UInt64 comment 'Postgres transaction that wrote this version; the highest is current',
    is_deleted UInt8 default 0 comment '1 where the row is gone from Postgres: FINAL leaves it out'
)
engine = ReplacingMergeTree(row_version, is_deleted)
partition by toYYYYMM(UUIDv7ToDateTime(id, 'UTC'))
order by (org_id, id)
settings non_replicated_deduplication_window = 10000
comment 'Recovery cases, one per row of cases in Postgres';
