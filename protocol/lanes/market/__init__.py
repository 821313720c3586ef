"""The market: shops and what they offer, a lane a sector (PROTOCOL.md section 11)."""
