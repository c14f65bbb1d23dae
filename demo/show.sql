-- How many provenance rows each role sees, by the workspace its session names. Run as a superuser, who may become each role.

create temporary table seen (place integer, role_name name, workspace_id text, row_count bigint);

do $$
declare
    viewer record;
    workspace text;
    visible bigint;
begin
    for viewer in
        values
        (1, 'workspace_member'::name),
        (2, 'connector_sync'),
        (3, 'hasura_service'),
        (
            4,
            (
                select pg_get_userbyid(c.relowner)
                from pg_catalog.pg_class as c
                where c.oid = 'core_api.company_workspace_connectors'::regclass
            )
        )
    loop
        foreach workspace in array array[
            '', 'a0000000-0000-4000-8000-000000000001', 'b0000000-0000-4000-8000-000000000002'
        ] loop
            perform set_config('app.workspace_id', workspace, true);
            perform set_config('role', viewer.column2, true);
            select count(*) into visible from core_api.company_workspace_connectors;
            perform set_config('role', 'none', true);
            insert into seen values (viewer.column1, viewer.column2, workspace, visible);
        end loop;
    end loop;
end
$$;

select
    role_name,
    sum(row_count) filter (where workspace_id = '') as no_workspace,
    sum(row_count) filter (where workspace_id like 'a%') as workspace_a,
    sum(row_count) filter (where workspace_id like 'b%') as workspace_b
from seen
group by place, role_name
order by place;
