"""``python -m connector_provenance``: this folder is the package (see pyproject.toml, package-dir)."""

import sys

from connector_provenance.migrations.cli import main

sys.exit(main())
