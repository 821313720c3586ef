"""The one thread that writes: own records, others' entries, the fold, checkpoints (DESIGN sections 5 and 10)."""
