-- Indexes: a second one that leads on workspace_connector_pk ruins every plan; the unique one of a parent closes a race, whatever its name.

select
    'index ' || i.indexrelid::regclass as object,
    concat(
        pg_get_indexdef(i.indexrelid), case when not (i.indisvalid and i.indisready and i.indislive) then ', not valid' end
    ) as definition,
    s.thing,
    not s.created and pg_get_indexdef(i.indexrelid, 1, false) <> 'workspace_connector_pk' and not i.indisunique as lenient
from scope as s
inner join pg_catalog.pg_index as i on s.relation = i.indrelid
where
    s.part <> 'parent' and not exists (
        select from pg_catalog.pg_constraint as k
        where k.conindid = i.indexrelid and k.conrelid = i.indrelid
    )
union all
select distinct
    format('unique index on %s (workspace_pk, pk)', i.indrelid::regclass),
    'valid, over every row',
    null,
    false
from scope as s
inner join pg_catalog.pg_index as i on s.relation = i.indrelid
where
    s.part = 'parent' and i.indisunique and i.indisvalid and i.indisready and i.indpred is null and i.indnkeyatts = 2
    and pg_get_indexdef(i.indexrelid, 1, false) = 'workspace_pk' and pg_get_indexdef(i.indexrelid, 2, false) = 'pk'
