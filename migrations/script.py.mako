"""${message}

Before review: the .up.sql and .down.sql are paired and say what they lock; every object has a comment;
every permission and every guard has a test with its refusal; `make generate` has run; CHANGELOG names the revision.
A revision of functions alone has no .up.sql: it lists sql/functions/<name>_vNN.sql, one a line, and its .down.sql drops
what they made, or its downgrade lists the versions before.
"""

from connector_provenance.migrations import sqlfile

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    sqlfile.run("sql/${up_revision}.up.sql")


def downgrade() -> None:
    sqlfile.run("sql/${up_revision}.down.sql")
