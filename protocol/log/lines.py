"""Numbers, base64 and key names as lines of notes, checkpoints and proofs have them (PROTOCOL.md section 5).

Every value has one spelling: a text is accepted only if printing its value gives the same text. So a byte
that changes in a file either changes the value or refuses the file.

    parse_decimal("4096", maximum=TREE_SIZE_MAX) == 4096
    from_base64(to_base64(b"hello")) == b"hello"
"""

from base64 import b64decode, b64encode

from protocol.errors import LogError
from protocol.limits import KEY_NAME_BYTES_MAX


def parse_decimal(text: str, *, maximum: int) -> int:
    """Return the number from 0 to `maximum` that an ASCII decimal without leading zeros states.

    Anything else raises `LogError`: a sign, a space, digits of other scripts, an empty text.
    """
    if not (0 < len(text) <= len(str(maximum)) and text.isascii() and text.isdecimal()):
        raise LogError("number_malformed", repr(text[:32]))
    number = int(text)
    if number > maximum or str(number) != text:
        raise LogError("number_malformed", f"{text!r}, at most {maximum}")
    return number


def to_base64(raw: bytes) -> str:
    """Return standard base64 with padding (RFC 4648 section 4)."""
    return b64encode(raw).decode("ascii")


def from_base64(text: str) -> bytes:
    """Return the bytes of standard base64 with padding and zero pad bits, or raise `LogError`."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError as error:
        raise LogError("base64_malformed", repr(text[:32])) from error
    if to_base64(raw) != text:
        raise LogError("base64_malformed", f"not the one spelling of these bytes: {text[:32]!r}")
    return raw


def check_key_name(name: str) -> None:
    """Refuse a key name that is empty, longer than 255 bytes, or holds a Unicode space or a plus sign."""
    check_characters(name)
    if not 0 < len(name.encode()) <= KEY_NAME_BYTES_MAX:
        raise LogError("key_name_malformed", f"{len(name.encode())} bytes")
    if "+" in name or name.split() != [name]:  # split knows the same spaces as isspace, and is quicker
        raise LogError("key_name_malformed", repr(name))


def check_characters(text: str) -> None:
    """Refuse control characters below U+0020 other than newline, and surrogates, which UTF-8 cannot say."""
    for character in set(text):
        if (character < " " and character != "\n") or "\ud800" <= character <= "\udfff":
            raise LogError("text_character_refused", f"U+{ord(character):04X}")
