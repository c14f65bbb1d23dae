"""What every record type shares: schemas, workspaces, connectors, the enum."""

from connector_provenance.migrations import sqlfile

revision = "0001_ground"
down_revision = None
branch_labels = ("connector_provenance",)


def upgrade() -> None:
    sqlfile.run("sql/0000_schema.up.sql")
    sqlfile.run("sql/0001_ground.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0001_ground.down.sql")
    sqlfile.run("sql/0000_schema.down.sql")
