-- name: keep_limits
-- Lists of limits that decisions were made on, each once under its digest (DESIGN.md rule 11). In one
-- order for everybody. Index: pk_guard_limits.
insert into guard_limits (digest, rows, created_at)
select t.digest, t.rows, :now
from unnest(cast(:digests as text[]), cast(:limits as text[])) as t (digest, rows)
order by t.digest
on conflict (digest) do nothing;
