"""A company and its connector stay in one workspace."""

from connector_provenance.migrations import sqlfile

revision = "0009_company_guards"
down_revision = "0008_company_policies"


def upgrade() -> None:
    sqlfile.run("sql/functions/refuse_mixed_company_inserts_v01.sql")
    sqlfile.run("sql/functions/refuse_mixed_company_update_v01.sql")
    sqlfile.run("sql/functions/refuse_company_move_v01.sql")
    sqlfile.run("sql/0009_company_guards.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0009_company_guards.down.sql")
