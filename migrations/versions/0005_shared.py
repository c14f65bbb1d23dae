"""The connectors of the current workspace, who reads workspaces, and functions that all junctions share."""

from connector_provenance.migrations import sqlfile

revision = "0005_shared"
down_revision = "0004_tenant_context"


def upgrade() -> None:
    sqlfile.run("sql/0005_shared.up.sql")
    sqlfile.run("sql/functions/stamp_timestamps_v01.sql")
    sqlfile.run("sql/functions/json_timestamp_v01.sql")
    sqlfile.run("sql/functions/refuse_v01.sql")
    sqlfile.run("policies/workspaces_v01.sql")
    sqlfile.run("policies/workspace_connectors_v01.sql")


def downgrade() -> None:
    sqlfile.run("sql/0005_shared.down.sql")
