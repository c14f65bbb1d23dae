-- What to watch of each junction, one row each, for its owner: nothing is counted, so sizes of rows are of the last vacuum or analyze.
-- locks: none

select -- noqa: ST06
    c.oid::regclass::text as junction,
    nullif(c.reltuples, -1)::bigint as rows_estimated,
    nullif(p.reltuples, -1)::bigint as rows_soft_deleted,
    s.n_dead_tup as rows_dead,
    pg_table_size(c.oid) as table_bytes,
    pg_indexes_size(c.oid) as index_bytes,
    -- Of the 2^31 numbers that pk can be; at 1 no row can be inserted.
    round(coalesce(pg_sequence_last_value(to_regclass(pg_get_serial_sequence(c.oid::regclass::text, 'pk'))), 0) / 2147483647.0, 4)
        as sequence_share,
    current_setting('server_version') as server_version, -- noqa: RF04
    current_setting('server_version_num')::integer < (
        case current_setting('server_version_num')::integer / 10000
            when 15 then 150020 when 16 then 160016 when 17 then 170012 else 180007
        end
    ) as below_floor
from pg_catalog.pg_class as c
inner join tenancy.managed_objects as m on m.kind = 'table' and c.oid = to_regclass(m.name)
left join pg_catalog.pg_class as p on p.oid = to_regclass(format('core_api.%I', c.relname || '_purge_index'))
left join pg_catalog.pg_stat_all_tables as s on c.oid = s.relid
where c.relname like '%\_workspace\_connectors'
order by junction;
