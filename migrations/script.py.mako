"""${message}

Before review: the .up.sql and .down.sql are paired and say what they lock; every object has a comment;
every permission and every guard has a test with its refusal; sql/schema.sql is regenerated; CHANGELOG names the revision.
"""

from connector_provenance.migrations import sqlfile

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    sqlfile.run("sql/${up_revision}.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/${up_revision}.down.sql")
