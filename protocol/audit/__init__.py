"""The audit: anyone recomputes all of it, trusting no node (PROTOCOL.md sections 19 and 21)."""
