"""Search over titles and texts in any language, behind the fold, with the same answers on both engines.

`terms` cuts text into terms, `documents` keeps and asks them. Whoever folds says which listings changed; the
indexer follows at its own pace, so its lag is how many of them wait.
"""

from storage.search.documents import (
    Document,
    clear_index,
    index_documents,
    is_worn,
    remove_documents,
    search,
)

__all__ = ["Document", "clear_index", "index_documents", "is_worn", "remove_documents", "search"]
