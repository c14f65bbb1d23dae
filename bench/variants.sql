-- What the shipped schema is compared with, over the same parents and the same rows.

-- plain: the table without triggers and policies. Its owner, bench_expert, is what an application was before row-level
-- security; bench_naive reads it through the policy that most people write, bench_advised through the same as linters advise:
-- the setting in a subquery, so that it is read once for each statement.
create table bench.plain (like core_api.company_workspace_connectors including all);
insert into bench.plain
select j.*  -- noqa: AM04
from core_api.company_workspace_connectors as j
order by j.pk;
alter table bench.plain
add foreign key (company_pk) references core_api.companies (pk) on update cascade,
add foreign key (workspace_connector_pk) references core_api.workspace_connectors (pk) on update cascade;
create sequence bench.plain_pk_seq;
select setval('bench.plain_pk_seq', (select max(pk) from bench.plain));
alter table bench.plain alter column pk set default nextval('bench.plain_pk_seq');
alter sequence bench.plain_pk_seq owner to bench_expert;
alter table bench.plain owner to bench_expert;

alter table bench.plain enable row level security;
create policy naive on bench.plain
for select
to bench_naive
using (
    deleted_at is null
    and exists (
        select
        from core_api.companies as c
        inner join core_api.workspaces as w on c.workspace_pk = w.pk
        where
            c.pk = plain.company_pk
            and w.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
    )
    and exists (
        select
        from core_api.workspace_connectors as k
        inner join core_api.workspaces as w on k.workspace_pk = w.pk
        where
            k.pk = plain.workspace_connector_pk
            and w.workspace_id = nullif(current_setting('app.workspace_id', true), '')::uuid
    )
);
create policy advised on bench.plain
for select
to bench_advised
using (
    deleted_at is null
    and exists (
        select
        from core_api.companies as c
        inner join core_api.workspaces as w on c.workspace_pk = w.pk
        where
            c.pk = plain.company_pk
            and w.workspace_id = (select nullif(current_setting('app.workspace_id', true), '')::uuid)
    )
    and exists (
        select
        from core_api.workspace_connectors as k
        inner join core_api.workspaces as w on k.workspace_pk = w.pk
        where
            k.pk = plain.workspace_connector_pk
            and w.workspace_id = (select nullif(current_setting('app.workspace_id', true), '')::uuid)
    )
);
create policy naive on core_api.workspaces for select to bench_naive, bench_advised using (true);
create policy naive on core_api.companies for select to bench_naive, bench_advised using (true);
create policy naive on core_api.workspace_connectors for select to bench_naive, bench_advised using (true);

-- limit: a copy that knows its workspace, with the indexes one would give it; the design forbids it.
create table bench.denormalised (like core_api.company_workspace_connectors, workspace_pk integer not null);
insert into bench.denormalised
select
    j.*,  -- noqa: AM04
    c.workspace_pk
from core_api.company_workspace_connectors as j
inner join core_api.companies as c on j.company_pk = c.pk
order by j.pk;
create unique index on bench.denormalised (id);
create index on bench.denormalised (company_pk);
create index on bench.denormalised (workspace_pk, created_at desc, pk desc) include (deleted_at);
create index on bench.denormalised (workspace_connector_pk, created_at desc, pk desc) include (workspace_pk, deleted_at);

grant usage on schema bench, core_api to bench_expert, bench_naive, bench_advised;
grant select on core_api.workspaces, core_api.companies, core_api.workspace_connectors to bench_expert, bench_naive, bench_advised;
grant select on bench.plain to bench_naive, bench_advised;
grant select on bench.denormalised to bench_expert;
