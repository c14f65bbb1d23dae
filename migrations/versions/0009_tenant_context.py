"""The current workspace and what belongs to it."""

from cwc_schema.migrations import sqlfile

revision = "0009_tenant_context"
down_revision = "0008_roles"


def upgrade() -> None:
    sqlfile.run("sql/0009_tenant_context.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0009_tenant_context.down.sql")
