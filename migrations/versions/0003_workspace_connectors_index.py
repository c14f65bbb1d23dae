"""The unique index that closes the race between a connector's move and a row's insert."""

from connector_provenance.migrations import sqlfile

revision = "0003_workspace_connectors_index"
down_revision = "0002_ground"


def upgrade() -> None:
    sqlfile.run_in_autocommit("sql/0003_workspace_connectors_index.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0003_workspace_connectors_index.down.sql")
