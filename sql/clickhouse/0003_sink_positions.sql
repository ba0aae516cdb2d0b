-- How far the sink has come, on this side: source freshness and the mart's own position read it.
create table if not exists tinko.sink_positions (
    relation LowCardinality(String) comment 'Relation that was carried',
    position UInt64 comment 'Every Postgres transaction below this one has been carried',
    row_count UInt64 comment 'Rows the run carried',
    carried_at DateTime64(6, 'UTC') comment 'Wall time the run ended'
)
engine = ReplacingMergeTree(carried_at)
order by relation
settings non_replicated_deduplication_window = 100
comment 'Watermark of the sink per relation, as of its last run';
