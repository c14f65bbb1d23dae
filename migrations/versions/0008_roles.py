"""The group roles and their grants."""

from cwc_schema.migrations import sqlfile

revision = "0008_roles"
down_revision = "0007_timestamps"


def upgrade() -> None:
    sqlfile.run("sql/0008_roles.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0008_roles.down.sql")
