"""What nodes say to each other, as machines without I/O (PROTOCOL.md sections 17 and 18)."""
