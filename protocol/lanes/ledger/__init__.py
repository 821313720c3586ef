"""The ledger: each side's half of a mirrored double entry (PROTOCOL.md section 14)."""
