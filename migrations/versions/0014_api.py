"""The API in SQL: the resource document, create, delete and revoke."""

from cwc_schema.migrations import sqlfile

revision = "0014_api"
down_revision = "0013_page"


def upgrade() -> None:
    sqlfile.run("sql/0014_api.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0014_api.down.sql")
