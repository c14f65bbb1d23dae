"""The group roles, and how a migration grants."""

from connector_provenance.migrations import sqlfile

revision = "0003_roles"
down_revision = "0002_workspace_connectors_index"


def upgrade() -> None:
    sqlfile.run("sql/0003_roles.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0003_roles.down.sql")
