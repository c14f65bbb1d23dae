-- 0007 down: timestamps are no longer stamped; the values stored so far stay.
-- locks: ACCESS EXCLUSIVE on company_workspace_connectors

drop trigger company_workspace_connectors_stamp_timestamps on core_api.company_workspace_connectors;
drop function tenancy.stamp_timestamps();
