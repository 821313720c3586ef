"""The emergency kit: the recovery words with what a founder has to know about them, on one printable page.

Twelve words are 16 bytes of entropy (PyPI `mnemonic`, lists english and chinese_simplified). They are shown
once; the node keeps neither them nor what they derive.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.errors import NodeError
from node.locale import CHINESE, ENGLISH, catalog
from protocol.identity.keys import to_base32

ENTROPY_BYTES = 16

_LISTS = {ENGLISH: "english", CHINESE: "chinese_simplified"}
_WORDS_TEXT_MAX = 1_000
_WORDS_A_LINE = 4
_WORDS_LINE = re.compile(r"^  (?= *[0-9]+\. )(.+)$", re.MULTILINE)
_WORD = re.compile(r"([0-9]+)\. (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What is printed once. `words` are separated by single spaces."""

    community: bytes
    name: Mapping[str, str]
    words: str

    def __repr__(self) -> str:
        """Nothing that is secret."""
        return f"Kit({to_base32(self.community)})"


def words_of_entropy(entropy: bytes, language: str) -> str:
    """Return the words of 16 to 32 bytes in the list of a language, with single spaces between them."""
    from mnemonic import Mnemonic

    return Mnemonic(_LISTS[language]).to_mnemonic(entropy)


def words_of_numbers(numbers: Sequence[int], language: str) -> list[str]:
    """Return the words at these places, 0 to 2047, of the list of a language."""
    from mnemonic import Mnemonic

    words = Mnemonic(_LISTS[language]).wordlist
    return [words[number] for number in numbers]


def entropy_of_words(text: str) -> bytes:
    """Return the entropy of words as a person types them in either language, or raise `words_refused`.

    Case and spacing do not matter, and Chinese words may stand without spaces. The checksum in the last word
    catches most slips.
    """
    from mnemonic import Mnemonic

    text = text[:_WORDS_TEXT_MAX].lower()
    words = text.split() if text.isascii() else [sign for sign in text if not sign.isspace()]
    try:
        return bytes(Mnemonic(_LISTS[ENGLISH if text.isascii() else CHINESE]).to_entropy(" ".join(words)))
    except (ValueError, LookupError) as error:
        raise NodeError("words_refused", f"{len(words)}") from error


def kit_text(kit: Kit, language: str) -> str:
    """Return the page to print, in one of our languages."""
    _ = catalog(language).gettext
    words = kit.words.split()
    lines = [
        "  ".join(
            f"{number:2}. {word:<9}" for number, word in enumerate(words[at : at + _WORDS_A_LINE], at + 1)
        )
        for at in range(0, len(words), _WORDS_A_LINE)
    ]
    return "\n".join(
        [
            _("EMERGENCY KIT · keep this on paper, away from the node"),
            "",
            _("Community: {name}").format(name=" · ".join(kit.name.values())),
            _("Community id: {id}").format(id=to_base32(kit.community)),
            "",
            _("Recovery words:"),
            *("  " + line.rstrip() for line in lines),
            "",
            _("They bring the community back when this machine is lost, stolen or burnt."),
            _("Whoever reads them can take the community over. The node does not keep them."),
            _("You alone hold them now (1 of 1). When members join, share the recovery out."),
            "",
        ]
    )


def lines_of_kit(text: str) -> tuple[list[str], list[str]]:
    """Return what stands above and below the words on such a page, without empty lines."""
    found = list(_WORDS_LINE.finditer(text))
    above, below = (text[: found[0].start()], text[found[-1].end() :]) if found else (text, "")
    return [line for line in above.splitlines() if line], [line for line in below.splitlines() if line]


def words_in_kit(text: str) -> list[str]:
    """Return the words that stand on such a page, or raise `words_refused` where they are no kit's."""
    found = [word for line in _WORDS_LINE.findall(text) for _number, word in _WORD.findall(line)]
    entropy_of_words(" ".join(found))
    return found
