"""Keys, genesis, succession, recovery and sealing (PROTOCOL.md sections 4, 9 and 15)."""
