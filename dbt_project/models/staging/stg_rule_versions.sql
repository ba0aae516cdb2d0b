-- The current version of every row.
select
    org_id,
    id as rule_version_id,
    rule_id,
    version as rule_version,
    name as rule_name,
    deleted,
    created_at,
    row_version,
    concat(toString(rule_id), ':v', toString(version)) as rule
from {{ source('tinko', 'rule_versions') }} final
