-- Constraints: these and no others, validated, not deferrable, in force; the parents' keys stand with their columns.

select
    format('constraint %I on %s', k.conname, s.relation::regclass) as object,
    concat(
        pg_get_constraintdef(k.oid),
        case when exists (
            select
            from pg_catalog.pg_trigger as t
            where t.tgconstraint = k.oid and t.tgenabled not in ('O', 'A')
        ) then ', its triggers disabled' end,
        case when exists (
            select
            from pg_catalog.pg_index as i
            where i.indexrelid = k.conindid and i.indrelid = k.conrelid and not (i.indisvalid and i.indisready and i.indislive)
        ) then ', its index not valid' end
    ) as definition,
    s.thing,
    -- A host may have more, but none by which a row is deleted or a fact may not be repeated.
    not s.created
    and (k.contype = 'c' or (k.contype = 'f' and k.confdeltype <> 'c' and k.confrelid not in (select o.relation from scope as o))) as lenient
from scope as s
inner join pg_catalog.pg_constraint as k on s.relation = k.conrelid
where
    s.part <> 'parent' and s.relation is distinct from to_regclass('tenancy.schema_version')
    -- 18 has constraints for not null, which stand with the columns, but for one that old rows may break.
    and (k.contype <> 'n' or not k.convalidated)
