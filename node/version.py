"""The version of this software, as it is shown to people, peers and monitoring."""

VERSION = "0.1.0"  # that of pyproject.toml; a test compares them
