"""The charter: who a community is, its members, its peers and its policies (PROTOCOL.md section 10)."""
