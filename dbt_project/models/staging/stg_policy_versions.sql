-- The current version of every row.
select
    org_id,
    id as policy_version_id,
    name as policy_name,
    version as policy_version,
    created_at,
    row_version
from {{ source('tinko', 'policy_versions') }} final
