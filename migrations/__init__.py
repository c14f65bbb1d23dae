"""The revisions and what runs them; a regular package, so that a host's alembic.ini can name it."""
