"""What exists already is compared with the contract before anything is changed."""

from cwc_schema.migrations import sqlfile

revision = "0001_contract"
down_revision = None
branch_labels = ("cwc_schema",)


def upgrade() -> None:
    sqlfile.run("sql/0001_contract.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/0001_contract.down.sql")
