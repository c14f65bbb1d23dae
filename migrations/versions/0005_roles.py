"""The group roles and their grants."""

from cwc_schema.migrations import sqlfile

revision = "0005_roles"
down_revision = "0004_timestamps"


def upgrade() -> None:
    sqlfile.run("sql/0005_roles.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0005_roles.down.sql")
