"""One file a version of the facts, frozen once it is released."""
