-- What the sessions of pooled.py ask for, and whose each row is: kept where no policy looks, on top of what run.py loads.

-- A workspace's public id is its number, so that a script can say it.
update core_api.workspaces set workspace_id = lpad(pk::text, 32, '0')::uuid;

-- The owner of every parent, which the loading noted.
alter table bench.companies add primary key (pk);
alter table bench.connectors add primary key (pk), add column id uuid unique;
update bench.connectors set id = k.workspace_connector_id
from core_api.workspace_connectors as k
where k.pk = connectors.pk;

-- A thousand times a row of each tenant, with its parents: busy connectors are asked for more often.
create table bench.picks as
select
    t.n,
    slot,
    d.id,
    c.company_id,
    k.workspace_connector_id,
    k.pk as connector_pk
from (
    select
        workspace_pk as n,
        array_agg(id order by random()) as ids
    from bench.denormalised
    where deleted_at is null
    group by workspace_pk
) as t
cross join generate_series(1, 1000) as slot
inner join bench.denormalised as d on d.id = t.ids[1 + slot % cardinality(t.ids)]
inner join core_api.companies as c on d.company_pk = c.pk
inner join core_api.workspace_connectors as k on d.workspace_connector_pk = k.pk;
alter table bench.picks add primary key (n, slot);

create table bench.foreign_rows (script text not null, row_count bigint not null);

grant usage on schema bench to public;
grant select on bench.companies, bench.connectors, bench.denormalised, bench.picks to public;
grant insert on bench.foreign_rows to public;
