"""No row that is older than the guards spans two workspaces."""

from connector_provenance.migrations import sqlfile

revision = "0010_company_guarded"
down_revision = "0009_company_guards"


def upgrade() -> None:
    sqlfile.run("sql/0010_company_guarded.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0010_company_guarded.down.sql")
