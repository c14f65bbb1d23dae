"""What every record type shares: schema, workspaces, connectors, the enum."""

from connector_provenance.migrations import sqlfile

revision = "0002_ground"
down_revision = "0001_roles"


def upgrade() -> None:
    sqlfile.run("sql/0002_ground.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0002_ground.down.sql")
