"""The tables, in two kinds: facts that nothing can bring back, and views that are rebuilt from the lanes.

`facts` changes by migrations only. `views` has a number of its own; when it differs from the stored one, the
views are dropped and folded again.
"""
