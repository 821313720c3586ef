"""How seldom Python looks for reference cycles while a node runs.

A node makes many small values and hardly a cycle: by default a tenth of a backfill's time went into looking for
some. What the start has made stays, so it is not looked at again.
"""

import gc

_NEW_OBJECTS = 20_000
_YOUNG_LOOKS = 20
_MIDDLE_LOOKS = 20


def collect_seldom() -> None:
    """Look once in `_NEW_OBJECTS` new objects, and never at those that are there now."""
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_LOOKS, _MIDDLE_LOOKS)
