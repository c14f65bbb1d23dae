"""The group roles, what is adopted and what created, and how a migration grants."""

from connector_provenance.migrations import sqlfile

revision = "0001_roles"
down_revision = None
branch_labels = ("connector_provenance",)


def upgrade() -> None:
    sqlfile.run("sql/0000_schema.up.sql")
    sqlfile.run("sql/0001_roles.up.sql")
    sqlfile.run("sql/functions/revoke_all_v01.sql")
    sqlfile.run("sql/functions/hand_to_definer_v01.sql")
    sqlfile.run("sql/functions/take_back_v01.sql")
    sqlfile.run("sql/functions/manage_v01.sql")
    sqlfile.run("sql/functions/created_v01.sql")
    sqlfile.run("sql/functions/drop_table_v01.sql")


def downgrade() -> None:
    sqlfile.run("sql/0001_roles.down.sql")
    sqlfile.run("sql/0000_schema.down.sql")
