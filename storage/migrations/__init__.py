"""Alembic's migrations of the facts, one file a version in `versions/`."""
