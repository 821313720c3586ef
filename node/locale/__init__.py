"""The languages that the node speaks to people: English as in the code, and catalogs beside this file.

A message is its English text; a catalog is a pair of files, `wildgrass.po` to edit and `wildgrass.mo` to
read, which `scripts/catalogs` keeps in step. The command line sets its process to one language with
`speak`; the API and the pages choose for each request with `pick_language` and `translate`.

    translate("The disk is full, so nothing was written. Free some space and try again.", "zh-Hans")
"""

import gettext
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

ENGLISH = "en"
CHINESE = "zh-Hans"
LANGUAGES = (ENGLISH, CHINESE)

DOMAIN = "wildgrass"
FOLDER = Path(__file__).parent
_CATALOGS = {CHINESE: "zh_Hans"}
_PREFERENCES_MAX = 16


def catalog(language: str) -> gettext.NullTranslations:
    """Return the catalog of a language; for English, and for one that we do not speak, the empty one."""
    return _read_catalog(_CATALOGS.get(language, ""))


def translate(message: str, language: str) -> str:
    """Return the message in that language, or as it stands where no catalog has it."""
    return catalog(language).gettext(message)


def marked(message: str) -> str:
    """Return the message as it stands: for the catalogs to find here, and for a page to translate later.

    `gettext.gettext` would translate it at once into the language of the process, which is not the reader's.
    """
    return message


def speak(language: str) -> None:
    """Make this process speak one language: `gettext.gettext` of the standard library, and so click too."""
    os.environ["LANGUAGE"] = _CATALOGS.get(language, ENGLISH)
    gettext.bindtextdomain(DOMAIN, str(FOLDER))
    gettext.textdomain(DOMAIN)


def language_of(tag: str) -> str | None:
    """Return which of our languages a tag such as zh-CN, zh_TW.UTF-8 or en-GB asks for, or None."""
    first = tag.replace("_", "-").split("-")[0].split(".")[0].strip().lower()
    return {"en": ENGLISH, "zh": CHINESE}.get(first)


def language_of_environment(environment: Mapping[str, str]) -> str:
    """Return the language of WILDGRASS_LANGUAGE or of the locale, as the system's own programs read it."""
    chosen = language_of(environment.get("WILDGRASS_LANGUAGE", ""))
    if chosen:
        return chosen
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    if locale in ("", "C", "POSIX") or locale.startswith("C."):
        return ENGLISH
    preferred = [*environment.get("LANGUAGE", "").split(":"), locale]
    return next((known for tag in preferred if (known := language_of(tag))), ENGLISH)


def pick_language(accept_language: str, default: str = ENGLISH) -> str:
    """Return the language that an Accept-Language header likes best of ours (RFC 9110 section 12.5.4)."""
    best, best_weight = default, 0
    for preference in accept_language.split(",")[:_PREFERENCES_MAX]:
        tag, _, weight_text = preference.partition(";")
        language = language_of(tag)
        weight = _weight(weight_text)
        if language is not None and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(text: str) -> int:
    """`q=0.8` as thousandths; nothing is 1000, nonsense 0."""
    name, _, value = text.strip().partition("=")
    if not name:
        return 1000
    whole, _, part = value.partition(".")
    digits = whole + part.ljust(3, "0")
    if name.strip() != "q" or len(digits) != len("0000") or not digits.isascii() or not digits.isdigit():
        return 0
    return min(int(digits), 1000)


@lru_cache(maxsize=len(LANGUAGES) + 1)
def _read_catalog(folder: str) -> gettext.NullTranslations:
    if not folder:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, str(FOLDER), languages=[folder])
