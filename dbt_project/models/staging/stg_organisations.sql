-- The current version of every row.
select
    org_id,
    slug,
    name,
    timezone,
    row_version
from {{ source('tinko', 'organisations') }} final
