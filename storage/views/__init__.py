"""What people ask of the folded lanes: filled with the state, in the same transaction, and rebuilt at will."""
