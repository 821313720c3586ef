"""The log: tree, notes, checkpoints, cosignatures, proofs and tiles (PROTOCOL.md sections 5 to 7)."""
