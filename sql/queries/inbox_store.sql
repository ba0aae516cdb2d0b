-- Storing PSP events once. Run on psycopg itself with binary parameters: text arrays of bytea
-- are three orders of magnitude slower to send (core/inbox/store.py).

-- name: enter_tenant
-- Sets the tenant :org for the rest of the transaction and reads the business clock's row, if any.
select
    set_config('app.org_id', cast(:org as text), true) as org, c.epoch, c.anchor, c.rate, c.frozen
from (values (1)) as one (id)
left join business_clock as c on c.id = one.id;

-- name: store
-- Claims both keys of each event (its id and its body's hash) and stores the events that got both;
-- returns for each event that got any key how many, and whether its id's. Arrays of one length;
-- :object_ids are joined by the unit separator. Keys are claimed in their order, so that two
-- transactions that hold the same events wait for each other and never deadlock.
-- Index: pk_inbox_keys.
with incoming as (
    select *
    from unnest(  -- noqa: PRS
        cast(:ids as uuid []), cast(:connection_ids as uuid []), cast(:psps as text []),
        cast(:sources as text []), cast(:event_ids as text []), cast(:event_types as text []),
        cast(:psp_created_ats as timestamptz []), cast(:hashes as bytea []),
        cast(:bodies as bytea []), cast(:object_ids as text [])
    ) as t (
        id, connection_id, psp, source, event_id, event_type, psp_created_at, body_sha256, body,
        object_ids
    )
),

wanted as (
    select connection_id, 'evt:' || event_id as key, id from incoming
    union all
    select connection_id, 'sha:' || encode(body_sha256, 'hex'), id from incoming
),

claimed as (
    insert into inbox_keys (connection_id, key, org_id, inbox_id)
    select connection_id, key, cast(:org as uuid), id from wanted order by connection_id, key
    on conflict do nothing
    returning inbox_id, key
),

owned as (
    select inbox_id, count(*) as keys, bool_or(key like 'evt:%') as own_id
    from claimed
    group by inbox_id
),

stored as (
    insert into inbox_events (
        id, org_id, connection_id, psp, source, event_id, event_type, psp_created_at, received_at,
        body_sha256, body, object_ids
    )
    select
        i.id, cast(:org as uuid), i.connection_id, i.psp, i.source, i.event_id, i.event_type,
        i.psp_created_at, cast(:at as timestamptz), i.body_sha256, i.body,
        string_to_array(i.object_ids, chr(31))
    from incoming as i
    inner join owned as o on o.inbox_id = i.id
    where o.keys = 2
)

select inbox_id, keys, own_id from owned;

-- name: release
-- Gives back the keys of events that turned out to be duplicates by their other key: a key may
-- only ever name an event that is stored. Index: pk_inbox_keys.
delete from inbox_keys as k
using unnest(cast(:connection_ids as uuid []), cast(:keys as text [])) as t (connection_id, key)  -- noqa: LT01, LT05
where k.connection_id = t.connection_id and k.key = t.key
returning k.inbox_id;
