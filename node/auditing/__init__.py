"""The audit of a neighbour that a running node starts itself (PROTOCOL.md section 19).

`node/audit` is the auditor, which knows no node; here are the node's own store as one of its sources, the process
of its own in which it runs, and what it found, kept in memory.
"""
