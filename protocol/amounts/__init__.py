"""Money, quantities, rounding and the revenue split, in integers (PROTOCOL.md section 12)."""
