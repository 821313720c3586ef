"""Cuts text of any language into terms: words where there are spaces, pairs of characters where not.

Chinese, Japanese, Korean, Thai, Lao, Khmer and Burmese runs become overlapping pairs, so 猫粮 is found inside
幼猫粮 without a dictionary. Single characters of such a run are terms in titles only: in texts nearly all of
them would lead to nearly every listing. Other words are compared without case, width and accents.

    terms("幼猫粮 Café 3kg") == {"幼猫", "猫粮", "cafe", "3kg"}
    terms("猫粮", characters=True) == {"猫", "粮", "猫粮"}
    query_terms("猫粮 CAFE") == ["猫粮", "cafe"]
"""

import re
import unicodedata
from operator import add

TERM_CHARACTERS_MAX = 64
QUERY_TERMS_MAX = 16
QUERY_CHARACTERS_MAX = 400

_UNSPACED = (
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U000323af"  # Chinese, Japanese, Korean
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
)
_MARKS = "".join(  # vowels and other marks inside words, which `\\w` leaves out; in the scripts in use
    chr(code)
    for code in (*range(0x300, 0x1E00), *range(0xA600, 0xAC00))
    if unicodedata.category(chr(code))[0] == "M"
)
_RUN = re.compile(f"([{_UNSPACED}]+)|((?:[^\\W_{_UNSPACED}]|[{_MARKS}])+)")
_CHARACTER = re.compile(f"[{_UNSPACED}]")
_ACCENTED = re.compile("[\u00c0-\u058f\u1e00-\u1fff]")  # Latin, Greek, Cyrillic, Armenian
_ACCENTS = re.compile("[\u0300-\u036f]+")


def terms(text: str, *, characters: bool = False) -> set[str]:
    """Return the terms under which a text is found; with `characters`, as a title is."""
    found: set[str] = set()
    for unspaced, word in _RUN.findall(_folded(text)):
        if unspaced:
            found.update(map(add, unspaced, unspaced[1:]))
            if characters:
                found.update(unspaced)
        else:
            found.add(word[:TERM_CHARACTERS_MAX])
    return found


def query_terms(query: str) -> list[str]:
    """Return the terms that a document must have to answer a query, at most `QUERY_TERMS_MAX`, each once."""
    found: dict[str, None] = {}
    for unspaced, word in _RUN.findall(_folded(query[:QUERY_CHARACTERS_MAX])):
        if len(unspaced) == 1:
            found[unspaced] = None
        elif unspaced:
            found.update(dict.fromkeys(map(add, unspaced, unspaced[1:])))
        else:
            found[word[:TERM_CHARACTERS_MAX]] = None
    return list(found)[:QUERY_TERMS_MAX]


def is_character(term: str) -> bool:
    """Whether a term is a single character of an unspaced script: then only titles have it."""
    return len(term) == 1 and _CHARACTER.match(term) is not None


def _folded(text: str) -> str:
    """The text without case, width and accents."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if _ACCENTED.search(folded):
        folded = _ACCENTS.sub("", unicodedata.normalize("NFD", folded))
        folded = unicodedata.normalize("NFC", folded)
    return folded
