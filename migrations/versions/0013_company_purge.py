"""The one way in which a soft-deleted row leaves the table."""

from connector_provenance.migrations import sqlfile

revision = "0013_company_purge"
down_revision = "0012_company_hasura"


def upgrade() -> None:
    sqlfile.run("sql/functions/company_purge_v01.sql")
    sqlfile.run("sql/functions/purge_company_workspace_connectors_v01.sql")


def downgrade() -> None:
    sqlfile.run("sql/0013_company_purge.down.sql")
