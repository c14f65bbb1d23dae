"""Which workspace a transaction works in."""

from connector_provenance.migrations import sqlfile

revision = "0004_tenant_context"
down_revision = "0003_workspace_connectors_index"


def upgrade() -> None:
    sqlfile.run("sql/0004_tenant_context.up.sql")
    sqlfile.run("sql/functions/json_claim_v01.sql")
    sqlfile.run("sql/functions/is_tenant_login_v01.sql")
    sqlfile.run("sql/functions/current_workspace_pk_v01.sql")


def downgrade() -> None:
    sqlfile.run("sql/0004_tenant_context.down.sql")
