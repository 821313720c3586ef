"""Trade: moves in orders between two communities, each in its own lane (PROTOCOL.md section 13)."""
